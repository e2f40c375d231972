import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { fishCompletion } from '../../src/cli/completion/fish.js';
import { zshCompletion } from '../../src/cli/completion/zsh.js';
import { COMMANDS } from '../../src/cli/table.js';
import { scratchDir } from '../support/scratch-dir.js';

const PAGE = fileURLToPath(new URL('../../man/codex-authd.1', import.meta.url));

async function answer(file: string, ...args: readonly string[]): Promise<string[]> {
  const { stdout, stderr } = await promisify(execFile)(file, args);
  expect(stderr).toBe('');
  return stdout.split('\n').slice(0, -1);
}

it('zsh can read its completions, and knows afterwards who completes', async () => {
  const script = join(await scratchDir(), '_codex-authd');
  await writeFile(script, zshCompletion());
  expect(await answer('zsh', '-n', script)).toEqual([]);
  const load = 'autoload -U compinit; compinit -u -D; source $1; print -r -- $_comps[codex-authd]';
  expect(await answer('zsh', '-fc', load, 'zsh', script)).toEqual(['_codex_authd']);
});

it('fish offers the commands, their options, and the words that they take', async () => {
  const script = join(await scratchDir(), 'codex-authd.fish');
  await writeFile(script, fishCompletion());
  const complete = async (line: string): Promise<string[]> => {
    const lines = await answer(
      'fish',
      '--no-config',
      '-c',
      'source $argv[1]; complete -C $argv[2]',
      script,
      line,
    );
    return lines.map((each) => each.split('\t', 1).join(''));
  };
  expect(await complete('codex-authd ')).toEqual(COMMANDS.map(({ name }) => name).sort());
  expect(await complete('codex-authd token --min')).toEqual(['--min-valid']);
  expect(await complete('codex-authd status --min')).toEqual([]);
  expect((await complete('codex-authd completion ')).sort()).toEqual(['bash', 'fish', 'zsh']);
});

it('mandoc has nothing to say against the manual page', async () => {
  expect(await readFile(PAGE, 'utf8')).not.toBe('');
  expect(await answer('mandoc', '-Tlint', '-Wwarning', PAGE)).toEqual([]);
});
