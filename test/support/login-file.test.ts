import { readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chatgptFile, makeLoginTokens, writeAuthFile, writeInPieces, type WriteStyle } from './login-file.js';
import { scratchDir } from './scratch-dir.js';

const first = chatgptFile(makeLoginTokens());
const second = chatgptFile(makeLoginTokens());

describe('an auth.json written as Codex does', () => {
  for (const style of ['in_place', 'replace'] satisfies WriteStyle[]) {
    it(`${style}: has the text, mode 0600, and nothing beside it`, async () => {
      const directory = await scratchDir();
      const path = join(directory, 'auth.json');
      await writeAuthFile(path, first, style);
      await writeAuthFile(path, second, style);
      expect(await readFile(path, 'utf8')).toBe(second);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await readdir(directory)).toEqual(['auth.json']);
    });

    it(`${style}: leaves a symbolic link one`, async () => {
      const directory = await scratchDir();
      const path = join(directory, 'auth.json');
      await writeFile(join(directory, 'real.json'), '');
      await symlink('real.json', path);
      await writeAuthFile(path, first, style);
      expect(await readlink(path)).toBe('real.json');
      expect(await readFile(join(directory, 'real.json'), 'utf8')).toBe(first);
    });
  }

  it('in place is the same file, by replacement another one', async () => {
    const path = join(await scratchDir(), 'auth.json');
    await writeAuthFile(path, first);
    const { ino } = await stat(path);
    await writeAuthFile(path, second, 'in_place');
    expect((await stat(path)).ino).toBe(ino);
    await writeAuthFile(path, first, 'replace');
    expect((await stat(path)).ino).not.toBe(ino);
  });

  it('in pieces can be read while it is torn', async () => {
    const path = join(await scratchDir(), 'auth.json');
    const seen: string[] = [];
    await writeInPieces(path, ['', first.slice(0, 100), first.slice(100)], async () => {
      seen.push(await readFile(path, 'utf8'));
    });
    expect(seen).toEqual(['', first.slice(0, 100)]);
    expect(await readFile(path, 'utf8')).toBe(first);
  });
});
