import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { describeError } from '../../src/errors.js';

/** Installs a package, by its name or its tarball, with all that it depends on, below a directory that is there. */
export async function npmInstall(what: string, prefix: string): Promise<void> {
  const options = [
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--prefer-offline',
    '--prefix',
    prefix,
  ];
  try {
    await npm(['install', ...options, what], prefix);
  } catch (error) {
    throw new Error(`${what} cannot be installed from npm: ${describeError(error)}`, { cause: error });
  }
}

/** Runs npm in a directory; resolves to what it writes to stdout. */
export async function npm(args: readonly string[], directory: string): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', args, { cwd: directory, env: realEnvironment() });
  return stdout;
}

/** npm alone may leave this machine: without the guard of the tests, and with the settings of whoever runs them. */
function realEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _guard, LOOPBACK_ONLY_REPORT: _report, ...env } = process.env;
  return { ...env, HOME: userInfo().homedir };
}
