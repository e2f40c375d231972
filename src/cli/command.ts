import type { SettingFlags } from '../config/flags.js';
import type { Environment } from '../os/paths.js';
import type { Output } from './output.js';

/** One option of the command line. */
export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** What stands for its value in the help; an option without one is a switch. */
  readonly value?: string;
  /** The words that the value may be, where there are only a few. */
  readonly choices?: readonly string[];
  readonly description: string;
}

/** One operand of a command. */
export interface ArgumentSpec {
  /** As the help writes it. */
  readonly name: string;
  readonly required: boolean;
  /** The words that it may be, where there are only a few. */
  readonly choices?: readonly string[];
  readonly description: string;
}

/** All that is known of a command without loading it: help, completions and the man page come from here. */
export interface CommandSpec {
  readonly name: string;
  /** One line, lower case, no full stop. */
  readonly summary: string;
  /** What the summary leaves out; sentences. */
  readonly details?: string;
  readonly arguments: readonly ArgumentSpec[];
  /** Whether what follows `--` is a command to run, word for word. */
  readonly runsCommand: boolean;
  readonly options: readonly OptionSpec[];
  readonly examples: readonly { readonly command: string; readonly does: string }[];
  /** Exit codes that it may end with, and where it differs from the common table, what they mean. */
  readonly exits: readonly { readonly code: number | string; readonly meaning: string }[];
  readonly load: () => Promise<{ readonly run: Command }>;
}

/** What a command is called with. */
export interface Invocation {
  /** `--codex-home`, `--socket`, `--config`, and `--log-level` where the command has it. */
  readonly settings: SettingFlags;
  /** `--account`, if it was given. */
  readonly account: string | undefined;
  readonly json: boolean;
  /** The switches that were given, by name. */
  readonly switches: ReadonlySet<string>;
  /** The command's own options with a value, by name. */
  readonly options: Readonly<Record<string, string>>;
  readonly operands: readonly string[];
  /** What followed `--`. */
  readonly rest: readonly string[];
  readonly env: Environment;
  readonly output: Output;
}

/** Runs a command and resolves to the exit code. */
export type Command = (invocation: Invocation) => Promise<number>;
