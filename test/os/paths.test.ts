import { describe, expect, it } from 'vitest';
import { codexHome, configPath, socketPath, stateDirectory } from '../../src/os/paths.js';

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
  ] as const)('the socket: %j on %s', (env, platform, path) => {
    expect(socketPath(env, platform)).toBe(path);
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
