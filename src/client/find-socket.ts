import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { configPath, socketPath, type Environment } from '../os/paths.js';

/** What a client was told about where the daemon listens. */
export interface SocketChoice {
  /** The path itself; wins over everything. */
  readonly socket?: string | undefined;
  /** The configuration file; it must exist then. */
  readonly config?: string | undefined;
  readonly env: Environment;
}

/** The longest path that fits a socket address; Node cuts a longer one off in silence (facts 5.6). */
const LONGEST_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;

/**
 * The socket's path: as named, else `$CODEX_AUTHD_SOCKET`, else `socket` in the configuration file, else the
 * default. The file is not even looked for where one of the first two names a socket.
 *
 * @throws AuthdError `bad_configuration` if the path cannot be a socket's, or the configuration cannot be read
 */
export async function findSocket({ socket, config, env }: SocketChoice): Promise<string> {
  return checkSocketPath(await namedSocket(socket, config, env));
}

async function namedSocket(
  socket: string | undefined,
  config: string | undefined,
  env: Environment,
): Promise<string> {
  if (socket !== undefined) return resolve(socket);
  const fromEnvironment = env['CODEX_AUTHD_SOCKET'];
  if (fromEnvironment === undefined || fromEnvironment === '') {
    const configured =
      config === undefined
        ? await readSocketSetting(configPath(env), 'optional')
        : await readSocketSetting(resolve(config), 'required');
    if (configured !== undefined) return configured;
  }
  return socketPath(env);
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
    // The lines after the first one quote the file, which may hold what should not be shown.
    const [firstLine = 'it is not TOML'] = describeError(error).split('\n');
    throw new AuthdError('bad_configuration', `cannot read the configuration file ${file}: ${firstLine}`, {
      hint: 'correct the file, or name another one with --config',
      cause: error,
    });
  }
}

function checkSocketPath(path: string): string {
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_PATH_BYTES) {
    throw new AuthdError(
      'bad_configuration',
      `the socket path is ${String(bytes)} bytes long, and the system takes ${String(LONGEST_PATH_BYTES)}: ${path}`,
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
