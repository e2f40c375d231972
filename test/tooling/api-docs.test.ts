import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { API_PAGE, renewApiPage } from '../../docs/generate/api-page.js';
import { fill } from '../../docs/generate/fill.js';

/** It reads every type of the package: a few seconds, far more on a machine that has too much to do. */
const COMPILER_TIMEOUT_MS = 120_000;

const page = readFileSync(API_PAGE, 'utf8');

describe('docs/api.md', () => {
  let renewed = '';
  beforeAll(async () => {
    renewed = await renewApiPage(page);
  }, COMPILER_TIMEOUT_MS);

  it('says what the code says; else run `npm run docs`', () => {
    expect(page).toBe(renewed);
  });

  it(
    'is found to differ in any of its generated parts, and put right',
    { timeout: COMPILER_TIMEOUT_MS },
    async () => {
      const planted = page.replace(/<!-- generated: \w+ -->.*?<!-- end: /gs, (part) =>
        part.replace(/\bthe\b/, 'not the'),
      );
      expect(planted.length).toBe(page.length + 7 * 'not '.length);
      expect(await renewApiPage(planted)).toBe(renewed);
    },
  );

  it('has one heading for every link within it', () => {
    const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => anchorOf(title));
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => headings.filter((heading) => heading === link).length !== 1)).toEqual([]);
  });
});

describe('the places for generated parts', () => {
  const place = '<!-- generated: a -->\nold\n<!-- end: a -->';

  it('are filled, and nothing else is changed', () => {
    expect(fill(`before\n${place}\nafter`, { a: 'new' })).toBe(
      'before\n<!-- generated: a -->\n\nnew\n\n<!-- end: a -->\nafter',
    );
  });

  it('are missed where there is none, and where there is nothing for one', () => {
    expect(() => fill('', { a: 'new' })).toThrow('no place for: a');
    expect(() => fill(place, {})).toThrow('nothing is generated for "a"');
  });
});

/** As GitHub makes it of a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
