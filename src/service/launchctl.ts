import { setTimeout as sleep } from 'node:timers/promises';
import { AuthdError } from '../errors.js';
import type { Environment } from '../os/paths.js';
import { LONGEST_STOP_MS, runTool } from './run-tool.js';
import type { Step } from './steps.js';

const LOOK_AGAIN_MS = 100;
/** The label may be taken for some seconds after its job has gone. */
const LONGEST_RELEASE_MS = 15_000;

/** "No such process", and "Operation now in progress": the one is what was wanted, the other is waited for. */
const GONE_OR_GOING = [3, 36];
/** "Input/output error" and "Operation already in progress": how it says that the label is not free yet. */
const TAKEN_STILL = [5, 37];

/** Whether launchd knows a job, running or on its way out. */
export async function isLoaded(env: Environment, target: string): Promise<boolean> {
  return (await runTool('launchctl', ['print', target], env)).code === 0;
}

/** Any other subcommand. */
export function launchctl(env: Environment, ...args: readonly string[]): Step {
  return stepOf(args, (line) => runOnce(env, line, args, []).then(() => undefined));
}

/** Stops a job and waits until it is gone: launchctl returns while the daemon still finishes its rotation. */
export function bootout(env: Environment, target: string): Step {
  const args = ['bootout', target];
  return stepOf(args, async (line) => {
    await runOnce(env, line, args, GONE_OR_GOING);
    const giveUpMs = performance.now() + LONGEST_STOP_MS;
    while (await isLoaded(env, target)) {
      if (performance.now() > giveUpMs) {
        throw new AuthdError('timeout', `\`${line}\` was accepted, and the daemon does not stop`, {
          hint: `\`launchctl kill KILL ${target}\` ends it, with whatever it could not store yet`,
        });
      }
      await sleep(LOOK_AGAIN_MS);
    }
  });
}

/** Loads a job; again where its label is not free yet. */
export function bootstrap(env: Environment, domain: string, path: string): Step {
  const args = ['bootstrap', domain, path];
  return stepOf(args, async (line) => {
    const giveUpMs = performance.now() + LONGEST_RELEASE_MS;
    while (!(await runOnce(env, line, args, performance.now() > giveUpMs ? [] : TAKEN_STILL)))
      await sleep(LOOK_AGAIN_MS);
  });
}

function stepOf(args: readonly string[], run: (line: string) => Promise<void>): Step {
  const line = `launchctl ${args.join(' ')}`;
  return { does: `run \`${line}\``, run: () => run(line) };
}

/** Whether it succeeded; false if it ended with one of the codes that are borne. */
async function runOnce(
  env: Environment,
  line: string,
  args: readonly string[],
  borne: readonly number[],
): Promise<boolean> {
  const { code, stderr } = await runTool('launchctl', args, env);
  if (code === 0) return true;
  if (code !== null && borne.includes(code)) return false;
  const [why = 'no reason given'] = stderr.trim().split('\n');
  throw new AuthdError('service', `\`${line}\` failed: ${why}`, {
    hint: 'look at `codex-authd service status` and `codex-authd logs`',
  });
}
