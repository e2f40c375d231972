import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { API_PAGE, renewApiPage } from '../../docs/generate/api-page.js';
import { fill } from '../../docs/generate/fill.js';

const page = readFileSync(API_PAGE, 'utf8');

describe('docs/api.md', () => {
  let renewed = '';
  beforeAll(async () => {
    renewed = await renewApiPage(page);
  });

  it('says what the code says; else run `npm run docs`', () => {
    expect(page).toBe(renewed);
  });

  it.each(['routes', 'parameters', 'bodies', 'errors', 'reasons', 'limits', 'library'])(
    'is found to differ in its %s, and put right',
    async (name) => {
      const start = page.indexOf(`<!-- generated: ${name} -->`);
      const planted = page.slice(0, start) + page.slice(start).replace(/\bthe\b/, 'not the');
      expect(planted.length).toBe(page.length + 4);
      expect(planted.indexOf('not the', start)).toBeLessThan(page.indexOf(`<!-- end: ${name} -->`));
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
