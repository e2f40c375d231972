import type { Environment } from '../../os/paths.js';

/** What would hide the daemon's credential from Codex: both beat a good auth.json (facts 4.1). */
const HIDING = ['CODEX_API_KEY', 'CODEX_ACCESS_TOKEN'];

/** An environment for Codex: as given, without what would hide the daemon's credential. */
export function codexEnvironment(env: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !HIDING.includes(name)) kept[name] = value;
  }
  return kept;
}
