import type { KeeperSnapshot } from '../keeper/snapshot.js';
import { runWithInput, type RunFailure } from '../os/run-with-input.js';

const DEADLINE_MS = 10_000;

/** As arguments, so that nothing in them is taken for a script. */
const APPLE_SCRIPT = [
  'on run argv',
  'display notification (item 2 of argv) with title (item 1 of argv)',
  'end run',
].flatMap((line) => ['-e', line]);

/** Shows a notification that a person has to log in; nothing is opened. Never rejects. */
export function showNotification(
  snapshot: KeeperSnapshot,
  platform: NodeJS.Platform = process.platform,
): Promise<RunFailure> {
  const { title, text } = loginNeeded(snapshot);
  const run = { input: '', deadlineMs: DEADLINE_MS };
  if (platform === 'darwin') return runWithInput('osascript', [...APPLE_SCRIPT, title, text], run);
  return runWithInput('notify-send', ['--app-name=codex-authd', '--', title, text], run);
}

function loginNeeded({ account, login, state }: KeeperSnapshot): {
  readonly title: string;
  readonly text: string;
} {
  const whose = login?.email ?? account;
  const until =
    state.servesUntilMs === null ? '' : `; served until ${new Date(state.servesUntilMs).toISOString()}`;
  const next = state.hint === null ? '' : `: ${state.hint}`;
  return { title: `Codex needs a login (${whose})`, text: `${state.detail}${until}${next}` };
}
