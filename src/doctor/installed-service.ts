import { readFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../os/paths.js';
import { runProgram } from '../os/run-program.js';

const UNIT = 'codex-authd.service';
const AGENT = 'codex-authd.plist';

/** A service as its file says it. */
export interface InstalledService {
  readonly file: string;
  /** What it starts, and with which arguments. */
  readonly words: readonly string[];
}

/** The service of this user, or of every user; null if none is installed. */
export async function findInstalledService(
  env: Environment,
  platform: NodeJS.Platform,
): Promise<InstalledService | null> {
  const read = platform === 'darwin' ? wordsOfAgent : wordsOfUnit;
  for (const file of places(env, platform)) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return { file, words: read(text) };
  }
  return null;
}

/** Whether the user's services go on after the last logout, and start without a login; null if that cannot be told. */
export async function isLingering(env: Environment): Promise<boolean | null> {
  const asked = ['show-user', userInfo().username, '--property=Linger', '--value'];
  const answer = await runProgram('loginctl', asked, env);
  if (answer === null) return null;
  // Of a user who is not logged in loginctl knows nothing, unless he lingers.
  return answer.succeeded ? answer.stdout === 'yes' : null;
}

/** Whether there is anybody to install a service with. */
export async function hasServiceManager(env: Environment, platform: NodeJS.Platform): Promise<boolean> {
  if (platform === 'darwin') return true;
  const answer = await runProgram('systemctl', ['--user', 'show', '--property=Version'], env);
  return answer?.succeeded === true;
}

/** `enabled`, `disabled`, …, as systemctl says it; null if there is no user manager to ask. */
export async function readEnablement(env: Environment): Promise<string | null> {
  const answer = await runProgram('systemctl', ['--user', 'is-enabled', UNIT], env);
  return answer === null || answer.stdout === '' ? null : answer.stdout;
}

function places(env: Environment, platform: NodeJS.Platform): string[] {
  const home = set(env['HOME']) ?? homedir();
  if (platform === 'darwin') {
    return [join(home, 'Library', 'LaunchAgents', AGENT), join('/Library/LaunchAgents', AGENT)];
  }
  const config = set(env['XDG_CONFIG_HOME']) ?? join(home, '.config');
  const data = set(env['XDG_DATA_HOME']) ?? join(home, '.local', 'share');
  const directories = [join(config, 'systemd'), '/etc/systemd', join(data, 'systemd'), '/usr/lib/systemd'];
  return directories.map((directory) => join(directory, 'user', UNIT));
}

/** The words of `ExecStart=`; the last such line counts. */
export function wordsOfUnit(text: string): string[] {
  const lines = [...text.matchAll(/^ExecStart=[-@:+!|]*(.*)$/gm)];
  const line = lines.at(-1)?.[1] ?? '';
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)];
  return words.map(([, double, single, bare], index) => {
    const word = (double ?? single ?? bare ?? '').replaceAll('%%', '%').replace(/\\(["\\])/g, '$1');
    // Into the first one systemd puts no variable.
    return index === 0 ? word : word.replaceAll('$$', '$');
  });
}

/** The strings in the array after `ProgramArguments`. */
export function wordsOfAgent(text: string): string[] {
  const [, array = ''] = /<key>ProgramArguments<\/key>\s*<array>([\s\S]*?)<\/array>/.exec(text) ?? [];
  return [...array.matchAll(/<string>([\s\S]*?)<\/string>/g)].map(([, word = '']) =>
    word.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
  );
}

function set(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
