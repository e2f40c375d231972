import { readFile } from 'node:fs/promises';
import type { DaemonCommand } from './daemon-command.js';

/** The label of the agent, and the name of its file. */
export const LABEL = 'codex-authd';

/** The name by which the daemon asks launchd for its socket. */
export const SOCKET_NAME = 'Listener';

const OWNER_ONLY = 0o600;

export interface PlistOptions {
  readonly command: DaemonCommand;
  /** Where the log goes. Absolute: launchd expands no `~`. */
  readonly logFile: string;
  /** Whether launchd is to hold the socket: without koffi the daemon could not take it over. */
  readonly holdsSocket: boolean;
}

/** The launch agent that is shipped, made for one command. */
export async function renderPlist({ command, logFile, holdsSocket }: PlistOptions): Promise<string> {
  const shipped = await readFile(new URL('../../launchd/codex-authd.plist', import.meta.url), 'utf8');
  const { node, script, args, environment, socket } = command;
  const words = [node, script, ...args].map((word) => `    ${element('string', word)}\n`).join('');
  const variables = Object.entries(environment).map(
    ([name, value]) => `    ${element('key', name)}\n    ${element('string', value)}\n`,
  );
  const more = [
    entry('StandardOutPath', element('string', logFile)),
    entry('StandardErrorPath', element('string', logFile)),
    ...(holdsSocket ? [entry('Sockets', socketsOf(socket))] : []),
  ].join('');
  // As functions, because `$` in a replacement text has a meaning.
  return shipped
    .replace(
      /(<key>ProgramArguments<\/key>\s*<array>\n)[^]*?(\s*<\/array>)/,
      (_all, head: string, tail: string) => `${head}${words.trimEnd()}${tail}`,
    )
    .replace(/(<key>EnvironmentVariables<\/key>\s*<dict>\n)/, (head) => `${head}${variables.join('')}`)
    .replace(/<\/dict>\n<\/plist>/, (end) => `${more}${end}`);
}

function socketsOf(path: string): string {
  return [
    '<dict>',
    `    ${element('key', SOCKET_NAME)}`,
    '    <dict>',
    `      ${element('key', 'SockPathName')}`,
    `      ${element('string', path)}`,
    `      ${element('key', 'SockPathMode')}`,
    `      ${element('integer', String(OWNER_ONLY))}`,
    '    </dict>',
    '  </dict>',
  ].join('\n');
}

function entry(key: string, value: string): string {
  return `  ${element('key', key)}\n  ${value}\n`;
}

function element(name: string, text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<${name}>${escaped}</${name}>`;
}
