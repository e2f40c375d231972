import { basename } from 'node:path';
import { listProcesses, type RunningProcess } from '../../os/processes.js';
import { ok, warn } from '../finding.js';
import type { Check, Scene } from '../scene.js';

/** Programs that are known to refresh the login of Codex on their own. */
const REFRESHERS = new Set(['codex-auth-refresher', 'codex-auth-broker', 'cli-proxy-api', 'cliproxyapi']);

/** Whether anything else is at work that spends refresh tokens. */
export const checkRefreshers: Check<Scene> = {
  id: 'refreshers',
  run: async ({ uid }) => {
    const rivals = (await listProcesses(uid)).flatMap((process) => {
      const name = refresherIn(process);
      return name === undefined ? [] : [{ name, pid: process.pid }];
    });
    if (rivals.length === 0) return ok('nothing else is known to refresh the login');
    return rivals.map(({ name, pid }) =>
      warn(
        `${name} runs with pid ${String(pid)}: it may spend the same refresh token`,
        `kill ${String(pid)}`,
      ),
    );
  },
};

/** The program itself, or the script of an interpreter. */
function refresherIn({ words }: Pick<RunningProcess, 'words'>): string | undefined {
  return words
    .slice(0, 2)
    .map((word) => basename(word).replace(/\.(exe|[cm]?js|py)$/, ''))
    .find((name) => REFRESHERS.has(name.toLowerCase()));
}
