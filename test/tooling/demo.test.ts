import { describe, expect, it } from 'vitest';
import { readArguments } from '../../examples/demo/arguments.js';
import { judge } from '../../examples/demo/verdict.js';

const good = { reads: 290, expired: 0, failed: 0, rotations: 2 };

describe('the demo', () => {
  it('succeeds where every read gave a valid token', () => {
    expect(judge(good, 30, 2)).toEqual({
      summary: '30 s: 2 rotations (2 requests to the server), 290 reads, 0 expired reads, 0 failed reads',
      complaints: [],
    });
    expect(judge({ ...good, rotations: 1 }, 15, 1).summary).toContain(
      '15 s: 1 rotation (1 request to the server)',
    );
    expect(judge({ ...good, rotations: 0 }, 24.9, 0).complaints).toEqual([]);
  });

  it('fails where one did not, where nothing was read, and where too little was rotated', () => {
    const failures = [
      judge({ ...good, expired: 1 }, 30, 2),
      judge({ ...good, failed: 1 }, 30, 2),
      judge({ ...good, reads: 0 }, 30, 2),
      judge({ ...good, rotations: 1 }, 25, 1),
    ];
    for (const { complaints } of failures) expect(complaints).toHaveLength(1);
  });

  it('takes a number of seconds and nothing else', () => {
    expect(readArguments([])).toEqual({ kind: 'run', seconds: null });
    expect(readArguments(['--seconds', '30'])).toEqual({ kind: 'run', seconds: 30 });
    expect(readArguments(['--help'])).toEqual({ kind: 'help' });
    const mistakes = [
      '--seconds=',
      '--seconds=0',
      '--seconds=1.5',
      '--seconds=-1',
      '--seconds',
      '--second=3',
      'now',
    ];
    for (const mistake of mistakes) expect(readArguments([mistake]).kind, mistake).toBe('mistake');
  });
});
