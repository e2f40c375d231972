import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { findSocket } from '../../src/client/find-socket.js';
import { AuthdError } from '../../src/errors.js';
import type { Environment } from '../../src/os/paths.js';
import { scratchDir } from '../support/scratch-dir.js';

const LONGEST_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;

interface Home {
  readonly env: Environment;
  readonly directory: string;
  readonly configFile: string;
}

async function makeHome(config?: string): Promise<Home> {
  const directory = await scratchDir();
  const env = {
    HOME: directory,
    XDG_CONFIG_HOME: join(directory, 'c'),
    XDG_RUNTIME_DIR: join(directory, 'r'),
  };
  const configFile = join(directory, 'c', 'codex-authd', 'config.toml');
  if (config !== undefined) {
    await mkdir(join(directory, 'c', 'codex-authd'), { recursive: true });
    await writeFile(configFile, config);
  }
  return { env, directory, configFile };
}

describe('the socket', () => {
  it('is the one that is named, whatever else there is', async () => {
    const { env } = await makeHome('this is no TOML');
    const named = { ...env, CODEX_AUTHD_SOCKET: '/from/environment' };
    expect(await findSocket({ socket: '/from/flag', config: '/nonexistent', env: named })).toBe('/from/flag');
    expect(await findSocket({ config: '/nonexistent', env: named })).toBe('/from/environment');
  });

  it('is made absolute where it is relative', async () => {
    const { env } = await makeHome();
    expect(await findSocket({ socket: 'a.sock', env })).toBe(join(process.cwd(), 'a.sock'));
  });

  it('is the one of the configuration file, else the default', async () => {
    const { env } = await makeHome('socket = "/from/config"\n[other]\nx = 1');
    expect(await findSocket({ env })).toBe('/from/config');
    expect(await findSocket({ env: { ...env, CODEX_AUTHD_SOCKET: '' } })).toBe('/from/config');
    const bare = await makeHome();
    expect(await findSocket({ env: bare.env })).not.toBe('/from/config');
    const silent = await makeHome('log_level = "warn"');
    expect(await findSocket({ env: silent.env })).toContain(silent.directory);
  });

  it('is the one of another configuration file that is named', async () => {
    const { env, directory } = await makeHome('socket = "/from/config"');
    const other = join(directory, 'other.toml');
    await writeFile(other, 'socket = "/from/other"');
    expect(await findSocket({ config: other, env })).toBe('/from/other');
  });

  it('counts from the directory of the configuration file where that gives a relative path', async () => {
    const { env, configFile } = await makeHome('socket = "my.sock"');
    expect(await findSocket({ env })).toBe(join(configFile, '..', 'my.sock'));
  });

  it('may have a path as long as the system takes, and not a byte more', async () => {
    const { env } = await makeHome();
    const longest = `/tmp/${'ü'.repeat(Math.floor((LONGEST_PATH_BYTES - 5) / 2))}`;
    expect(Buffer.byteLength(longest)).toBe(LONGEST_PATH_BYTES);
    expect(await findSocket({ socket: longest, env })).toBe(longest);
    await expect(findSocket({ socket: `${longest}x`, env })).rejects.toMatchObject({
      code: 'bad_configuration',
      hint: expect.stringContaining('--socket') as string,
    });
    await expect(findSocket({ socket: '/tmp/a\0b', env })).rejects.toMatchObject({
      code: 'bad_configuration',
    });
  });

  it.each([
    ['is no TOML', 'secret = "do not show"\nsocket = '],
    ['gives no path', 'socket = 7'],
    ['gives an empty path', 'socket = ""'],
  ])('is not to be found if the configuration file %s', async (_name, text) => {
    const { env, configFile } = await makeHome(text);
    const found = findSocket({ env });
    await expect(found).rejects.toMatchObject({ code: 'bad_configuration' });
    await expect(found).rejects.toThrow(configFile);
    const error: unknown = await found.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AuthdError);
    expect(inspect(error, { showHidden: true, depth: Infinity })).not.toContain('do not show');
  });

  it('is not to be found if the configuration file cannot be read, or is named and not there', async () => {
    const { env, configFile, directory } = await makeHome();
    await mkdir(configFile, { recursive: true });
    await expect(findSocket({ env })).rejects.toMatchObject({ code: 'bad_configuration' });
    await expect(findSocket({ config: join(directory, 'none.toml'), env })).rejects.toMatchObject({
      code: 'bad_configuration',
      message: expect.stringContaining('ENOENT') as string,
    });
  });
});
