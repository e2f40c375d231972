import { DEFAULT_LIMITS } from '../../src/server/limits.js';
import { code, table } from './markdown.js';
import { describedProperties } from './source-comments.js';

const UNITS = [
  { suffix: 'Ms', unit: 's', size: 1000 },
  { suffix: 'Bytes', unit: 'KiB', size: 1024 },
];

/** What one client may take of the daemon. */
export function limitTable(): string {
  const values = new Map(Object.entries(DEFAULT_LIMITS));
  const rows = describedProperties('server/limits.ts', 'ServerLimits').map(([name, text]) => [
    code(name),
    amount(name, values.get(name)),
    text.replace(/\.$/, ''),
  ]);
  return table(['limit', '', 'what it is'], rows);
}

/** With the unit that its name says. */
function amount(name: string, value: unknown): string {
  if (typeof value !== 'number') throw new Error(`${name} has no default`);
  const unit = UNITS.find(({ suffix }) => name.endsWith(suffix));
  return unit === undefined ? String(value) : `${String(value / unit.size)} ${unit.unit}`;
}
