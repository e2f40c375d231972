import { describe, expect, it } from 'vitest';
import { chooseSocket, codexHome, configPath, stateDirectory } from '../../src/os/paths.js';

const HOME = { HOME: '/home/ada' };

describe('where things lie', () => {
  it.each([
    [{ ...HOME, CODEX_AUTHD_SOCKET: '/a/b.sock', XDG_RUNTIME_DIR: '/run/user/7' }, 'linux', '/a/b.sock'],
    [{ ...HOME, XDG_RUNTIME_DIR: '/run/user/7' }, 'linux', '/run/user/7/codex-authd/authd.sock'],
    [HOME, 'linux', '/home/ada/.local/state/codex-authd/run/authd.sock'],
    [
      { ...HOME, XDG_RUNTIME_DIR: '/tmp/x' },
      'darwin',
      '/home/ada/Library/Application Support/codex-authd/authd.sock',
    ],
  ] as const)('the socket where nobody names or configures one: %j on %s', async (env, platform, path) => {
    expect(await chooseSocket({ named: undefined, env, configured: () => undefined, platform })).toBe(path);
  });

  it('the socket: as named, else by the environment, else as configured; nothing is looked for in vain', async () => {
    const asked: string[] = [];
    const choose = (named: string | undefined, fromEnvironment: string): Promise<string> =>
      chooseSocket({
        named,
        env: { ...HOME, CODEX_AUTHD_SOCKET: fromEnvironment },
        configured: () => {
          asked.push(fromEnvironment);
          return Promise.resolve('/configured');
        },
      });
    expect(await choose('/named', '/environment')).toBe('/named');
    expect(await choose('named', '/environment')).toBe(`${process.cwd()}/named`);
    expect(await choose(undefined, '/environment')).toBe('/environment');
    expect(asked).toEqual([]);
    expect(await choose(undefined, '')).toBe('/configured');
    expect(asked).toEqual(['']);
  });

  it('Codex’s home, the configuration and the state', () => {
    expect(codexHome(HOME)).toBe('/home/ada/.codex');
    expect(codexHome({ ...HOME, CODEX_HOME: '/elsewhere' })).toBe('/elsewhere');
    expect(configPath(HOME)).toBe('/home/ada/.config/codex-authd/config.toml');
    expect(configPath({ XDG_CONFIG_HOME: '/c' })).toBe('/c/codex-authd/config.toml');
    expect(stateDirectory(HOME)).toBe('/home/ada/.local/state/codex-authd');
    expect(stateDirectory({ XDG_STATE_HOME: '/s' })).toBe('/s/codex-authd');
  });
});
