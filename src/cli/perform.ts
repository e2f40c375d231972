import type { Rescue, ServiceManager } from '../service/service-manager.js';
import type { DaemonCommand } from '../service/daemon-command.js';
import type { Step } from '../service/steps.js';
import { plain, type Output } from './output.js';

/** Does the steps one after the other, or only says them. Returns what they do. */
export async function perform(
  steps: readonly Step[],
  { dryRun, say }: { readonly dryRun: boolean; readonly say: (text: string) => Promise<void> },
): Promise<string[]> {
  const done: string[] = [];
  for (const { does, run } of steps) {
    if (!dryRun) await run();
    await say(plain(`${dryRun ? 'would ' : ''}${does}\n`).trim());
    done.push(does);
  }
  return done;
}

/**
 * Installs and starts the service; where it does not start as it is, as it can. Returns what was done.
 *
 * @throws AuthdError `service`, `storage`
 */
export async function installService(
  manager: ServiceManager,
  command: DaemonCommand,
  options: {
    readonly restart: boolean;
    readonly dryRun: boolean;
    readonly say: (text: string) => Promise<void>;
  },
  output: Output,
): Promise<string[]> {
  const steps = await manager.planInstall(command, options.restart);
  try {
    return await perform(steps, options);
  } catch (error) {
    const rescue: Rescue | null = await manager.planRescue(command);
    if (rescue === null) throw error;
    output.hint(rescue.because);
    return await perform(rescue.steps, options);
  }
}
