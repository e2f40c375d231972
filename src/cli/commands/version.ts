import { readVersion } from '../../version.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';

export const run: Command = async ({ json, output }) => {
  if (json) await output.json({ version: readVersion(), node: process.version });
  else await output.data(`${versionLine()}\n`);
  return EXIT.ok;
};

/** `codex-authd 0.1.0 (node v20.20.2)`. */
export function versionLine(): string {
  return `codex-authd ${readVersion()} (node ${process.version})`;
}
