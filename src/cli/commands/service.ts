import { AuthdError } from '../../errors.js';
import type { ServiceManager, ServiceStatus } from '../../service/service-manager.js';
import type { Command, Invocation } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { plain } from '../output.js';
import { installService, perform } from '../perform.js';
import { refuseSudo } from '../refuse-sudo.js';
import { daemonMeant, refuseForeign, runLine, whoAnswers, whoRuns } from '../service-call.js';

type Action = (invocation: Invocation, manager: ServiceManager) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = { install, uninstall, status, print };

export const run: Command = async (invocation) => {
  const [name = ''] = invocation.operands;
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) {
    throw new AuthdError('usage', `\`service\` cannot ${plain(name)}`, {
      hint: `it can ${Object.keys(ACTIONS).join(', ')}`,
    });
  }
  const { managerOf, findObstacle } = await import('../../service/service-manager.js');
  const manager = await managerOf(invocation.env);
  if (action !== print) {
    const obstacle = await findObstacle(invocation.env);
    if (obstacle !== null) {
      throw new AuthdError('service', obstacle, {
        hint: `run it yourself: \`${runLine(await daemonMeant(invocation))}\`, or in the background with \`codex-authd up\``,
      });
    }
  }
  return action(invocation, manager);
};

async function install(invocation: Invocation, manager: ServiceManager): Promise<number> {
  const { json, switches, output } = invocation;
  await refuseSudo(invocation);
  const command = await daemonMeant(invocation);
  const { passingPaths } = await import('../../service/daemon-command.js');
  for (const path of passingPaths(command)) {
    output.hint(`${path} may be gone after the next update of Node: install the service again then`);
  }
  const { isOutdated } = await refuseForeign(manager, await whoRuns(command.socket, manager));
  const dryRun = switches.has('dry-run');
  const say = sayIn(invocation);
  const done = await installService(manager, command, { restart: isOutdated, dryRun, say }, output);
  const answering = dryRun ? null : await whoAnswers(command.socket);
  if (!dryRun && answering === null) {
    throw new AuthdError('service', `the service was started, and nobody answers on ${command.socket}`, {
      hint: 'look at `codex-authd service status`',
    });
  }
  const pid = answering?.pid ?? null;
  if (json)
    await output.json({ manager: manager.name, dry_run: dryRun, steps: done, socket: command.socket, pid });
  else if (!dryRun) {
    if (done.length === 0) await output.data('nothing to do: it is installed\n');
    await output.data(`pid ${String(pid)} answers on ${plain(command.socket)}\n`);
  }
  return EXIT.ok;
}

async function uninstall(invocation: Invocation, manager: ServiceManager): Promise<number> {
  const { json, switches, output } = invocation;
  const dryRun = switches.has('dry-run');
  const done = await perform(await manager.planUninstall(), { dryRun, say: sayIn(invocation) });
  if (json) await output.json({ manager: manager.name, dry_run: dryRun, steps: done });
  else if (done.length === 0) await output.data('nothing to do: it is not installed\n');
  return EXIT.ok;
}

async function status({ json, output }: Invocation, manager: ServiceManager): Promise<number> {
  const found = await manager.status();
  if (json) await output.json(found);
  else await output.data(describe(found));
  if (!found.installed) output.hint('install it: `codex-authd service install`');
  return found.running ? EXIT.ok : EXIT.notRunning;
}

async function print(invocation: Invocation, manager: ServiceManager): Promise<number> {
  const { json, output } = invocation;
  const files = await manager.files(await daemonMeant(invocation));
  if (json) await output.json({ manager: manager.name, files });
  else await output.data(files.map(({ path, text }) => `# ${plain(path)}\n${text}`).join('\n'));
  return EXIT.ok;
}

function sayIn({ json, output }: Invocation): (text: string) => Promise<void> {
  return (text) => (json ? Promise.resolve() : output.data(`${text}\n`));
}

function describe({ manager, installed, enabled, active, pid, detail, files }: ServiceStatus): string {
  const rows: (readonly [string, string])[] = [
    ['manager', manager],
    ['at login', enabled ? 'is started' : 'is not started'],
    ...files.map((path) => ['file', path] as const),
  ];
  if (pid !== null) rows.splice(1, 0, ['pid', String(pid)]);
  if (detail !== null) rows.unshift(['says', detail]);
  const title = installed ? active : 'not installed';
  return `${title}\n${rows.map(([label, value]) => `  ${label.padEnd(9)}  ${plain(value)}\n`).join('')}`;
}
