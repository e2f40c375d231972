import { readFile } from 'node:fs/promises';
import { findSocket } from '../../client/find-socket.js';
import { AuthdError, systemErrorCode } from '../../errors.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { plain } from '../output.js';
import { perform } from '../perform.js';
import { whoAnswers } from '../service-call.js';

export const run: Command = async ({ settings, env, json, output }) => {
  const socket = await findSocket({ ...settings, env });
  const say = (text: string): Promise<void> => (json ? Promise.resolve() : output.data(`${plain(text)}\n`));
  const { findObstacle, managerOf } = await import('../../service/service-manager.js');
  const done: string[] = [];
  if ((await findObstacle(env)) === null) {
    const manager = await managerOf(env);
    done.push(...(await perform(await manager.planStop(), { dryRun: false, say })));
  }
  const left = await whoAnswers(socket);
  if (left !== null) {
    await refuseStranger(left.pid);
    await endProcess(left.pid);
    const did = `stop the daemon (pid ${String(left.pid)})`;
    await say(did);
    done.push(did);
  }
  if (json) await output.json({ socket, steps: done });
  else if (done.length === 0) await output.data('nothing to do: no daemon runs\n');
  return EXIT.ok;
};

/**
 * The daemon tells its pid as its own kernel counts: where it runs in another container, somebody else has that number here.
 *
 * @throws AuthdError `service`
 */
async function refuseStranger(pid: number): Promise<void> {
  const words = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => null);
  if (words?.includes('codex-authd') !== false) return;
  throw new AuthdError('service', `pid ${String(pid)} is no codex-authd here: nothing was stopped`, {
    hint: 'the daemon runs in another container: stop it there',
  });
}

const LOOK_AGAIN_MS = 50;

/** @throws AuthdError `service`, `timeout` */
async function endProcess(pid: number): Promise<void> {
  const { setTimeout: sleep } = await import('node:timers/promises');
  // A rotation in flight is finished first.
  const { LONGEST_STOP_MS } = await import('../../service/run-tool.js');
  const giveUpMs = performance.now() + LONGEST_STOP_MS;
  for (let signal: NodeJS.Signals | 0 = 'SIGTERM'; send(pid, signal); signal = 0) {
    if (await isZombie(pid)) return;
    if (performance.now() > giveUpMs) {
      throw new AuthdError('timeout', `the daemon (pid ${String(pid)}) does not stop`, {
        hint: `look at its log; \`kill -KILL ${String(pid)}\` ends it, with whatever it could not store yet`,
      });
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

/** In a container whose first process waits for nobody, one that has ended stays in the table for ever. */
async function isZombie(pid: number): Promise<boolean> {
  const state = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
  return /^State:\tZ/m.test(state);
}

/** Whether the process is there; signal 0 only asks. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ESRCH') return false;
    throw new AuthdError('service', `the daemon (pid ${String(pid)}) cannot be stopped`, {
      hint: 'it belongs to another user, or runs in another container: stop it there',
      cause: error,
    });
  }
}
