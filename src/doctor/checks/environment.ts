import { ok, warn } from '../finding.js';
import type { Check, Scene } from '../scene.js';

/** Each beats a good auth.json in Codex, and is good for something else than a ChatGPT login (facts 4.1). */
const WINNERS = ['CODEX_API_KEY', 'CODEX_ACCESS_TOKEN'];

/** Whether a Codex that is started from here would use the login at all. */
export const checkEnvironment: Check<Scene> = {
  id: 'environment',
  run: ({ env }) => {
    const set = WINNERS.filter((name) => (env[name] ?? '') !== '');
    if (set.length === 0) return ok('no API key or access token in the environment hides auth.json');
    const verb = set.length === 1 ? 'is set: it wins' : 'are set: they win';
    return warn(`${set.join(' and ')} ${verb} over auth.json in Codex`, `unset ${set.join(' ')}`);
  },
};
