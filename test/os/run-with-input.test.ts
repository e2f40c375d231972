import { describe, expect, it } from 'vitest';
import { runWithInput } from '../../src/os/run-with-input.js';

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

  it('says so where there is no such program', async () => {
    expect(await runWithInput('/nowhere/hook', [], { input: '', deadlineMs: 1000 })).toBe(
      'cannot be run: spawn /nowhere/hook ENOENT',
    );
  });
});
