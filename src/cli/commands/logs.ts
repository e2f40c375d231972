import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AuthdError } from '../../errors.js';
import { stateDirectory, type Environment } from '../../os/paths.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { runChild } from '../run-child.js';

const UNIT = 'codex-authd.service';
const DEFAULT_LINES = '100';
const MOST_LINES = 1_000_000;

export const run: Command = async ({ options, switches, env, output }) => {
  const lines = readLines(options['lines']);
  const source = await findLog(env);
  if (source === null) {
    throw new AuthdError(
      'storage',
      'there is no log: no service is installed, and nothing runs in the background',
      {
        hint: '`codex-authd run` writes its log to stderr; `codex-authd doctor` says what is missing',
      },
    );
  }
  const follow = switches.has('follow');
  const [file, args] =
    source === 'journal'
      ? ['journalctl', ['--user', `--unit=${UNIT}`, '--output=cat', `--lines=${lines}`]]
      : ['tail', ['-n', lines]];
  const rest = source === 'journal' ? (follow ? ['--follow'] : []) : [...(follow ? ['-F'] : []), source];
  const ended = await runChild(file, [...args, ...rest], { ...env });
  if (ended.problem === undefined) return ended.exitCode === 0 ? EXIT.ok : EXIT.failure;
  output.error(ended.problem);
  return EXIT.failure;
};

/** The file that is written to, or the journal of the service; null if there is neither. */
async function findLog(env: Environment): Promise<string | null> {
  const home = (env['HOME'] ?? '') === '' ? homedir() : (env['HOME'] ?? '');
  const files = [
    ...(process.platform === 'darwin' ? [join(home, 'Library', 'Logs', 'codex-authd.log')] : []),
    join(stateDirectory(env), 'daemon.log'),
  ];
  const { findInstalledService } = await import('../../doctor/installed-service.js');
  const isService = (await findInstalledService(env, process.platform)) !== null;
  if (isService && process.platform !== 'darwin') return 'journal';
  for (const file of files) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return null;
}

function readLines(given = DEFAULT_LINES): string {
  if (/^\d+$/.test(given) && Number(given) <= MOST_LINES) return given;
  throw new AuthdError('usage', `--lines takes a whole number of at most ${String(MOST_LINES)}`, {
    hint: 'as in `codex-authd logs --lines 50`',
  });
}
