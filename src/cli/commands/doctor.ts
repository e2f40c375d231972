import type { Finding, Level } from '../../doctor/finding.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { plain, type Colour, type Paint } from '../output.js';

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const satisfies Record<Level, Colour>;

export const run: Command = async ({ settings, account, env, json, output }) => {
  const { examine } = await import('../../doctor/examine.js');
  const findings = await examine({ flags: settings, env, account });
  if (json) await output.json({ schema: 1, findings });
  else await output.data(show(findings, output.paint));
  return findings.some(({ level }) => level === 'fail') ? EXIT.failure : EXIT.ok;
};

/** A line for each finding, with the command that mends it below; the account where there are several. */
function show(findings: readonly Finding[], paint: Paint): string {
  const several = new Set(findings.flatMap(({ account }) => account ?? [])).size > 1;
  const width = Math.max(...findings.map(({ id }) => id.length));
  const lines = findings.map(({ id, account, level, found, command }) => {
    const about = several && account !== null ? `${account}: ${found}` : found;
    const line = `${paint(COLOURS[level], level.padEnd(4))}  ${id.padEnd(width)}  ${plain(about)}\n`;
    return command === null ? line : `${line}${' '.repeat(width + 8)}run: ${plain(command)}\n`;
  });
  return `${lines.join('')}${summary(findings)}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Level): string => String(findings.filter((each) => each.level === level).length);
  return `${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail`;
}
