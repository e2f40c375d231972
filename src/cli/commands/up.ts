import { join } from 'node:path';
import { readCredential } from '../../client/credential.js';
import { AuthdError } from '../../errors.js';
import { stateDirectory } from '../../os/paths.js';
import { DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS, type AccountStatus } from '../../protocol.js';
import type { DaemonCommand } from '../../service/daemon-command.js';
import { readVersion } from '../../version.js';
import type { Command, Invocation } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { plain } from '../output.js';
import { installService } from '../perform.js';
import { refuseSudo } from '../refuse-sudo.js';
import { readSeconds } from '../seconds.js';
import { daemonMeant, refuseForeign, whoAnswers, whoRuns } from '../service-call.js';
import { describeExpiry } from '../show-credential.js';
import { formatWhen } from '../when.js';

/** Without one of these logins there is nothing to start a daemon for. */
const HOPELESS = ['logged_out', 'corrupt', 'unsupported'];

export const run: Command = async (invocation) => {
  const { settings, account, env, json, options, output } = invocation;
  const wait = readSeconds(options, 'wait', LONGEST_WAIT_SECONDS) ?? DEFAULT_WAIT_SECONDS;
  await refuseSudo(invocation);
  const { inspectAccounts } = await import('../../inspect.js');
  const found = await inspectAccounts({ flags: settings, env, account });
  const usable = found.filter(({ state }) => !HOPELESS.includes(state));
  const [first] = usable;
  if (first === undefined) throw nothingToKeep(found[0]);
  const say = (text: string): Promise<void> => (json ? Promise.resolve() : output.data(`${plain(text)}\n`));
  for (const each of usable) await say(introduce(each, Date.now()));

  const command = await daemonMeant(invocation);
  const { findObstacle } = await import('../../service/service-manager.js');
  const obstacle = await findObstacle(env);
  if (obstacle === null) await startService(invocation, command, say);
  else await startAlone(invocation, command, obstacle, say);

  await readCredential({ socket: command.socket, account: account ?? first.account, wait });
  const status = await whoAnswers(command.socket);
  const kept = status?.accounts.find((each) => each.account === (account ?? first.account));
  if (json) await output.json({ socket: command.socket, manager: obstacle === null, status });
  else {
    const next = kept?.next_rotation_at ?? null;
    await say(`socket: ${command.socket}`);
    await say(`next rotation: ${next === null ? 'none planned' : formatWhen(next, Date.now())}`);
    await say('try it: codex-authd token');
  }
  return EXIT.ok;
};

async function startService(
  { env, output }: Invocation,
  command: DaemonCommand,
  say: (text: string) => Promise<void>,
): Promise<void> {
  const { managerOf } = await import('../../service/service-manager.js');
  const manager = await managerOf(env);
  const { isOutdated } = await refuseForeign(manager, await whoRuns(command.socket, manager));
  const done = await installService(manager, command, { restart: isOutdated, dryRun: false, say }, output);
  if (done.length === 0) await say('the service is installed and runs');
}

/** A background process, which nobody starts again after a crash or a reboot. */
async function startAlone(
  { env, output }: Invocation,
  command: DaemonCommand,
  obstacle: string,
  say: (text: string) => Promise<void>,
): Promise<void> {
  const before = await whoAnswers(command.socket);
  if (before !== null) {
    await say(`a daemon runs already (pid ${String(before.pid)})`);
    if (before.version !== readVersion())
      output.hint(
        `it is of version ${before.version}; to replace it: \`codex-authd down && codex-authd up\``,
      );
    return;
  }
  output.hint(
    `${obstacle}; the daemon is a process in the background, which \`codex-authd up\` starts again`,
  );
  const { startInBackground } = await import('../../service/background.js');
  const logFile = join(stateDirectory(env), 'daemon.log');
  const daemon = await startInBackground(command, env, logFile);
  const over = new AbortController();
  try {
    await Promise.race([daemon.failed, untilAnswered(command.socket, over.signal)]);
  } catch (error) {
    // Somebody else may have started one in the same instant, which is about to answer.
    await untilAnswered(command.socket, over.signal, ANOTHERS_START_MS).catch(() => {
      throw error;
    });
  } finally {
    over.abort();
    daemon.letGo();
  }
  const running = await whoAnswers(command.socket);
  if (running === null || running.pid === daemon.pid)
    await say(`started in the background (pid ${String(daemon.pid)}), log: ${logFile}`);
  else await say(`a daemon runs already (pid ${String(running.pid)})`);
}

const LOOK_AGAIN_MS = 50;
const LONGEST_START_MS = 30_000;
const ANOTHERS_START_MS = 3_000;

async function untilAnswered(socket: string, signal: AbortSignal, limitMs = LONGEST_START_MS): Promise<void> {
  const { setTimeout: sleep } = await import('node:timers/promises');
  const giveUpMs = performance.now() + limitMs;
  while (!signal.aborted && (await whoAnswers(socket)) === null) {
    if (performance.now() > giveUpMs) {
      throw new AuthdError('timeout', `the daemon was started, and nobody answers on ${socket}`);
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

/** `/home/ada/.codex/auth.json: ada@example.test (pro), expires in 9 d 23 h`. */
function introduce(
  { auth_file: file, email, account_id: id, plan, ...rest }: AccountStatus,
  nowMs: number,
): string {
  const kind = rest.login === 'chatgpt' || rest.login === null ? 'a login' : rest.login.replaceAll('_', ' ');
  const who = email ?? id ?? kind;
  return `${file}: ${who}${plan === null ? '' : ` (${plan})`}, ${describeExpiry(rest.expires_at, nowMs)}`;
}

function nothingToKeep(account: AccountStatus | undefined): AuthdError {
  const isLogin = account?.state === 'logged_out';
  return new AuthdError(
    isLogin ? 'logged_out' : 'unsupported',
    account === undefined ? 'there is no account' : `${account.auth_file}: ${account.detail}`,
    { hint: `${account?.hint ?? 'log in with `codex login`'}, then run \`codex-authd up\` again` },
  );
}
