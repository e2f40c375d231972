import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findKernelLocks } from '../../os/native.js';
import { quoteForShell } from '../../os/quote-for-shell.js';
import { ok, warn } from '../finding.js';
import type { Check, Scene } from '../scene.js';

/** Whether Codex's own locks can be taken (facts 5.7). */
export const checkKoffi: Check<Scene> = {
  id: 'koffi',
  run: async () => {
    if ((await findKernelLocks()) === 'flock') return ok('koffi gives flock');
    const root = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
    return warn("without koffi there is no flock, and Codex's own locks cannot be taken", installKoffi(root));
  },
};

/** Where it is found from a package root: beside the package, or in it where that is a checkout. */
export function installKoffi(root: string): string {
  const modules = dirname(root);
  if (basename(modules) !== 'node_modules')
    return `npm install --prefix ${quoteForShell(root)} --no-save koffi`;
  const owner = dirname(modules);
  if (basename(owner) === 'lib')
    return `npm install --global --prefix ${quoteForShell(dirname(owner))} koffi`;
  return `npm install --prefix ${quoteForShell(owner)} koffi`;
}
