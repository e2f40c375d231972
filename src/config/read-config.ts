import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { ConfigSchema, settingsOf, type Config } from './schema.js';

/**
 * Reads the configuration file. One that is not there is empty, unless it was asked for by name.
 *
 * @throws AuthdError `bad_configuration`
 */
export async function readConfig(path: string, presence: 'optional' | 'required'): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (presence === 'optional' && systemErrorCode(error) === 'ENOENT') return {};
    throw new AuthdError('bad_configuration', `${path} cannot be read: ${describeError(error)}`, {
      hint: 'make it readable, or name another file with `--config`',
      cause: error,
    });
  }
  return checkConfig(path, parseToml(path, text));
}

function parseToml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    // The lines after the first one quote the file, and logs show causes: neither may hold what is in the file.
    const [firstLine = ''] = describeError(error).split('\n');
    const where = error instanceof TomlError ? `, line ${String(error.line)}` : '';
    throw new AuthdError('bad_configuration', `${path} is not TOML${where}: ${firstLine}`, {
      hint: 'mend that line, or name another file with `--config`',
    });
  }
}

function checkConfig(path: string, document: unknown): Config {
  const result = v.safeParse(ConfigSchema, document);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const { key, table, place } = locate(issue);
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    throw new AuthdError('bad_configuration', `${path}: there is no setting \`${key}\`${place}`, {
      hint: `the settings are ${settingsOf(table).join(', ')}`,
    });
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    throw new AuthdError('bad_configuration', `${path}: \`${key}\` is missing${place}`, {
      hint: `write \`${key} = "..."\``,
    });
  }
  throw new AuthdError('bad_configuration', `${path}: \`${key}\`${place} is ${describeValue(issue)}`, {
    hint: expectation(issue),
  });
}

/** Which setting an issue is about: its name, and the table that it stands in, counted from 1. */
function locate(issue: v.BaseIssue<unknown>): {
  readonly key: string;
  readonly table: 'account' | null;
  readonly place: string;
} {
  const keys = (issue.path ?? []).map(({ key }) => String(key));
  const [name, index, key] = keys;
  if (name !== 'account' || index === undefined || key === undefined) {
    return { key: keys.join('.'), table: null, place: '' };
  }
  return { key, table: 'account', place: ` in [[account]] number ${String(Number(index) + 1)}` };
}

/** Texts are repeated only where a choice of a few words is due: any other may be a secret in the wrong place. */
function describeValue({ type, received, input }: v.BaseIssue<unknown>): string {
  if (type === 'non_empty') return 'empty';
  if (typeof input === 'object' && !Array.isArray(input)) return 'a table';
  return type !== 'picklist' && received.startsWith('"') ? 'a text' : received;
}

function expectation(issue: v.BaseIssue<unknown>): string {
  if (issue.type === 'non_empty') return 'give it a value, or leave it out';
  if (issue.type === 'tuple_with_rest') {
    return 'write it as a list: the command and its arguments, as in ["/usr/local/bin/hook", "--loud"]';
  }
  if (issue.type === 'array') return 'write each one as a table of its own, with two brackets: [[account]]';
  const bound = issue.expected ?? issue.type.replaceAll('_', ' ');
  return `it must be ${bound.replaceAll('"', '')}`;
}
