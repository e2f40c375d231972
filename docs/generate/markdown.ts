/** A table; a bar or a line break in a cell would end it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map(() => '---');
  return [head, rule, ...rows]
    .map(
      (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`,
    )
    .join('\n');
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** A doc comment outside of the code: its links as names, and without the sources that only this project has. */
export function readable(comment: string): string {
  return comment.replace(/\{@link (\w+)\}/g, '`$1`').replace(/ \(facts [\d., ]+\)/g, '');
}
