import { fail, ok, warn } from '../finding.js';
import type { Check, Scene } from '../scene.js';

/** When upstream ends each release line that can run this program, at the end of the day. */
const ENDS: Readonly<Record<number, string>> = {
  20: '2026-04-30',
  21: '2024-06-01',
  22: '2027-04-30',
  23: '2025-06-01',
  24: '2028-04-30',
  25: '2026-06-01',
  26: '2029-04-30',
};

const UPDATE = 'npm install --global node@24';

/** Whether this Node can run the program, and whether it is looked after still. */
export const checkNode: Check<Scene> = {
  id: 'node',
  run: ({ nodeVersion, nowMs }) => {
    const [major = 0, minor = 0] = nodeVersion.replace('v', '').split('.').map(Number);
    if (major < 20 || (major === 20 && minor < 19)) {
      return fail(`node ${nodeVersion} is too old: codex-authd needs 20.19 or later`, UPDATE);
    }
    const end = ENDS[major];
    if (end !== undefined && Date.parse(`${end}T23:59:59Z`) < nowMs) {
      return warn(`node ${nodeVersion} runs codex-authd, but has had no security fixes since ${end}`, UPDATE);
    }
    return ok(`node ${nodeVersion}`);
  },
};
