import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manPage } from '../../src/cli/man-page.js';
import { COMMANDS } from '../../src/cli/table.js';
import { makeSandbox, runCli, type Sandbox } from './run-cli.js';

const FILE = new URL('../../man/codex-authd.1', import.meta.url);
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
});

afterAll(() => sandbox.remove());

describe('the manual page', () => {
  it('is what the table of commands says: `npm run man` writes it anew', async () => {
    expect(await readFile(FILE, 'utf8')).toBe(manPage());
    expect(await runCli(sandbox, ['help', '--man'])).toMatchObject({
      code: 0,
      stderr: '',
      stdout: manPage(),
    });
  });

  it('has every command with its options and examples', () => {
    const page = manPage().replaceAll('\\-', '-');
    for (const { name, options } of COMMANDS) {
      expect(page).toContain(`.SS "${name}"`);
      for (const option of options) expect(page).toMatch(new RegExp(`^\\.B (-., )?--${option.name}`, 'm'));
    }
  });

  it('keeps every line from being taken for a request that it is not', () => {
    const known = ['.\\"', '.TH', '.SH', '.SS', '.B', '.TP', '.PP'];
    for (const line of manPage()
      .split('\n')
      .filter((each) => /^[.']/.test(each))) {
      expect(known).toContain(line.split(' ', 1).join(''));
    }
  });
});
