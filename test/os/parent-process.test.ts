import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { identifyParent, startInstantIn, startTimeIn } from '../../src/os/parent-process.js';

describe('which process started this one', () => {
  it('is said by its pid and its start time, the same each time', async () => {
    const parent = await identifyParent();
    expect(parent).toMatch(new RegExp(`^${String(process.ppid)}-[A-Za-z0-9.:]+$`));
    expect(await identifyParent()).toBe(parent);
  });

  it.runIf(process.platform === 'linux')('is told from others by the 22nd field of its stat', async () => {
    const own = startTimeIn(await readFile('/proc/self/stat', 'utf8'));
    const first = startTimeIn(await readFile('/proc/1/stat', 'utf8'));
    expect(Number(own)).toBeGreaterThan(Number(first));
  });

  it('is read past a name with spaces and parentheses', () => {
    const rest = Array.from({ length: 30 }, (_, field) => String(field + 3)).join(' ');
    expect(startTimeIn(`7 (a) b (c) ${rest}`)).toBe('22');
  });

  it.each(['', '7 (codex) S 1', 'no stat at all'])('is not guessed at from %j', (stat) => {
    expect(startTimeIn(stat)).toBeUndefined();
  });

  it('is read from what ps says where there is no /proc', () => {
    expect(startInstantIn('Sun Nov 22 23:44:09 2026\n')).toBe('Sun.Nov.22.23:44:09.2026');
    expect(startInstantIn('Sun Nov  1 03:04:09 2026\n')).toBe('Sun.Nov.1.03:04:09.2026');
    expect(startInstantIn('')).toBeUndefined();
  });
});
