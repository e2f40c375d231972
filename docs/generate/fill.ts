/**
 * Puts each section between its two markers, `<!-- generated: NAME -->` and `<!-- end: NAME -->`, in place of what is there.
 *
 * @throws Error if a section has no place in the page, or the page a place for none
 */
export function fill(page: string, sections: Readonly<Record<string, string>>): string {
  const missing = new Set(Object.keys(sections));
  const filled = page.replace(PLACE, (_place, name: string) => {
    const section = sections[name];
    if (section === undefined) throw new Error(`nothing is generated for "${name}"`);
    missing.delete(name);
    return `<!-- generated: ${name} -->\n\n${section}\n\n<!-- end: ${name} -->`;
  });
  if (missing.size > 0) throw new Error(`the page has no place for: ${[...missing].join(', ')}`);
  return filled;
}

const PLACE = /<!-- generated: (\w+) -->.*?<!-- end: \1 -->/gs;
