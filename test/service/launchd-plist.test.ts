import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { renderPlist } from '../../src/service/launchd-plist.js';

const SHIPPED = new URL('../../launchd/codex-authd.plist', import.meta.url);

const OPTIONS = {
  command: {
    node: '/opt/homebrew/bin/node',
    script: '/Users/ada/R&D <tools>/codex-authd.js',
    args: ['run'],
    environment: { CODEX_HOME: '/Users/ada/$1 codex' },
    socket: '/Users/ada/Library/Application Support/codex-authd/authd.sock',
  },
  logFile: '/Users/ada/Library/Logs/codex-authd.log',
  holdsSocket: true,
};

type Plist = string | number | boolean | readonly Plist[] | { readonly [key: string]: Plist };

/** A parser of property lists that knows what ours are made of, and throws at anything else. */
function parsePlist(text: string): Plist {
  const body = text.replace(/<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--[^]*?-->/g, '');
  const tokens = body.match(/<[^>]+>|[^<]+/g)?.filter((token) => token.trim() !== '') ?? [];
  const next = (): string => tokens.shift() ?? 'nothing';
  const expectNext = (wanted: string): void => {
    const token = next();
    if (token !== wanted) throw new Error(`${token} instead of ${wanted}`);
  };
  const textOf = (name: string): string => {
    const content = next();
    expectNext(`</${name}>`);
    return content.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  };
  const value = (tag: string): Plist => {
    if (tag === '<true/>' || tag === '<false/>') return tag === '<true/>';
    if (tag === '<string>') return textOf('string');
    if (tag === '<integer>') return Number(textOf('integer'));
    if (tag === '<array>') {
      const items: Plist[] = [];
      for (let token = next(); token !== '</array>'; token = next()) items.push(value(token));
      return items;
    }
    if (tag !== '<dict>') throw new Error(`${tag} is no value`);
    const entries: [string, Plist][] = [];
    for (let token = next(); token !== '</dict>'; token = next()) {
      if (token !== '<key>') throw new Error(`${token} instead of a key`);
      const key = textOf('key');
      if (entries.some(([known]) => known === key)) throw new Error(`${key} comes twice`);
      entries.push([key, value(next())]);
    }
    return Object.fromEntries(entries);
  };
  expectNext('<plist version="1.0">');
  const root = value(next());
  expectNext('</plist>');
  return root;
}

describe('the launch agent', () => {
  it('is shipped with no path of any machine', async () => {
    const shipped = await readFile(SHIPPED, 'utf8');
    expect(parsePlist(shipped)).toMatchObject({
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 5,
      ProcessType: 'Background',
      ProgramArguments: ['/usr/bin/env', 'codex-authd', 'run'],
    });
    expect(shipped).not.toMatch(/\/Users\/|\/home\//);
  });

  it('is made for this Node and this script, with log, variables and a socket that launchd holds', async () => {
    expect(parsePlist(await renderPlist(OPTIONS))).toMatchObject({
      Label: 'codex-authd',
      ProgramArguments: ['/opt/homebrew/bin/node', '/Users/ada/R&D <tools>/codex-authd.js', 'run'],
      EnvironmentVariables: { CODEX_HOME: '/Users/ada/$1 codex' },
      StandardErrorPath: OPTIONS.logFile,
      Sockets: { Listener: { SockPathName: OPTIONS.command.socket, SockPathMode: 0o600 } },
    });
    expect(parsePlist(await renderPlist({ ...OPTIONS, holdsSocket: false }))).not.toHaveProperty('Sockets');
  });
});
