import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { runWithInput } from '../../src/os/run-with-input.js';
import { scratchDir } from '../support/scratch-dir.js';

const MODULE = new URL('../../dist/os/run-with-input.js', import.meta.url).href;

const run = (script: string, deadlineMs = 10_000, input = ''): Promise<string | null> =>
  runWithInput('/bin/sh', ['-c', script], { input, deadlineMs });

describe('running a program with input', () => {
  it('gives it the input, and says nothing of one that succeeds', async () => {
    expect(await run('read line; [ "$line" = hello ]', 10_000, 'hello\n')).toBeNull();
  });

  it('needs it not to read what it is given', async () => {
    expect(await run('exec <&-; exit 0', 10_000, 'x'.repeat(1_000_000))).toBeNull();
  });

  it('says how it failed, with the first of what it complained of, and no more', async () => {
    expect(await run('echo no  such >&2; echo thing >&2; exit 7')).toBe('ended with 7: no such thing');
    const failure = await run('yes x | head -c 1000000 >&2; exit 1');
    expect(failure?.length).toBeLessThan(600);
  });

  it('kills one that takes too long, with all that it has started', async () => {
    expect(await run('sleep 600 & sleep 600', 50)).toBe('was killed after 0.05 s');
    expect(await run('trap "" TERM; while :; do sleep 600; done', 50)).toBe('was killed after 0.05 s');
  });

  it('waits not for what it leaves running, and leaves it running', async () => {
    const directory = await scratchDir();
    const fifo = join(directory, 'fifo');
    const script = `mkfifo '${fifo}'; { cat '${fifo}'; echo read > '${directory}/said'; } >/dev/null & exit 0`;
    expect(await run(script, 600_000)).toBeNull();
    await writeFile(fifo, 'go on\n');
    await vi.waitFor(async () => {
      expect(await readFile(join(directory, 'said'), 'utf8')).toBe('read\n');
    });
  });

  it('says so where the process has no descriptor left, and goes on', async () => {
    const program = `
      const { runWithInput } = await import(${JSON.stringify(MODULE)});
      const { openSync } = await import('node:fs');
      try { for (;;) openSync('/dev/null'); } catch {}
      const failure = await runWithInput('/bin/true', [], { input: 'x', deadlineMs: 50 });
      await new Promise((resolve) => setTimeout(resolve, 100));
      process.stdout.write(String(failure));`;
    const shell = 'ulimit -n 60; exec "$0" --input-type=module --eval "$1"';
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', shell, process.execPath, program]);
    expect(stdout).toMatch(/^cannot be run: .*EMFILE/);
  });

  it('says so where there is no such program', async () => {
    expect(await runWithInput('/nowhere/hook', [], { input: '', deadlineMs: 1000 })).toBe(
      'cannot be run: spawn /nowhere/hook ENOENT',
    );
  });
});
