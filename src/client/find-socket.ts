import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { chooseSocket, configPath, LONGEST_SOCKET_PATH_BYTES, type Environment } from '../os/paths.js';

/** What a client was told about where the daemon listens. */
export interface SocketChoice {
  /** The path itself; wins over everything. */
  readonly socket?: string | undefined;
  /** The configuration file; it must exist then. */
  readonly config?: string | undefined;
  readonly env: Environment;
}

/**
 * The socket's path: as named, else `$CODEX_AUTHD_SOCKET`, else `socket` in the configuration file, else the
 * default. The file is not even looked for where one of the first two names a socket.
 *
 * @throws AuthdError `bad_configuration` if the path cannot be a socket's, or the configuration cannot be read
 */
export async function findSocket({ socket, config, env }: SocketChoice): Promise<string> {
  const configured = (): Promise<string | undefined> =>
    config === undefined
      ? readSocketSetting(configPath(env), 'optional')
      : readSocketSetting(resolve(config), 'required');
  return checkSocketPath(await chooseSocket({ named: socket, env, configured }));
}

/** `socket` in a configuration file; a relative path counts from the file's directory. */
async function readSocketSetting(
  file: string,
  presence: 'optional' | 'required',
): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (presence === 'optional' && systemErrorCode(error) === 'ENOENT') return undefined;
    throw new AuthdError(
      'bad_configuration',
      `cannot read the configuration file ${file}: ${systemErrorCode(error) ?? describeError(error)}`,
      { hint: 'name another one with --config, or name the socket with --socket', cause: error },
    );
  }
  const setting = (await parseToml(file, text))['socket'];
  if (setting === undefined) return undefined;
  if (typeof setting !== 'string' || setting === '') {
    throw new AuthdError('bad_configuration', `\`socket\` in ${file} is not a path`, {
      hint: 'write it as a string: socket = "/path/to/authd.sock"',
    });
  }
  return resolve(dirname(file), setting);
}

async function parseToml(file: string, text: string): Promise<Readonly<Record<string, unknown>>> {
  // Loaded only for whoever has such a file: every other start-up stays bare (facts 5.10).
  const { parse } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    // The lines after the first one quote the file, which may hold what should not be shown: no cause either.
    const [firstLine = 'it is not TOML'] = describeError(error).split('\n');
    throw new AuthdError('bad_configuration', `cannot read the configuration file ${file}: ${firstLine}`, {
      hint: 'correct the file, or name another one with --config',
    });
  }
}

function checkSocketPath(path: string): string {
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_SOCKET_PATH_BYTES) {
    throw new AuthdError(
      'bad_configuration',
      `the socket path is ${String(bytes)} bytes long, and the system takes ${String(LONGEST_SOCKET_PATH_BYTES)}: ${path}`,
      { hint: 'name a shorter one with --socket or CODEX_AUTHD_SOCKET, for the daemon as well' },
    );
  }
  if (path.includes('\0')) {
    throw new AuthdError('bad_configuration', 'the socket path has a NUL in it', {
      hint: 'name the path of a file with --socket or CODEX_AUTHD_SOCKET',
    });
  }
  return path;
}
