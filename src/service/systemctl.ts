import { AuthdError } from '../errors.js';
import type { Environment } from '../os/paths.js';
import { runTool } from './run-tool.js';
import type { Step } from './steps.js';

/** Why no user manager of systemd can be asked; null if there is one. */
export async function findObstacle(env: Environment): Promise<string | null> {
  const { code, stderr } = await runTool('systemctl', ['--user', 'show', '--property=Version'], env);
  if (code === 0) return null;
  const [line = ''] = stderr.trim().split('\n');
  return `there is no systemd user manager here: ${line}`;
}

/** Properties of a unit, by name. */
export async function showUnit(
  unit: string,
  properties: readonly string[],
  env: Environment,
): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await runTool(
    'systemctl',
    ['--user', 'show', unit, `--property=${properties.join()}`],
    env,
  );
  return Object.fromEntries(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
}

/** A step that runs systemctl. @throws AuthdError `service`, from its `run`, with what systemctl said */
export function systemctl(env: Environment, ...args: readonly string[]): Step {
  const line = `systemctl --user ${args.join(' ')}`;
  return {
    does: `run \`${line}\``,
    run: async () => {
      const { code, stderr } = await runTool('systemctl', ['--user', ...args], env);
      if (code === 0) return;
      const [why = 'no reason given'] = stderr.trim().split('\n');
      throw new AuthdError('service', `\`${line}\` failed: ${why}`, {
        hint: 'look at `systemctl --user status codex-authd` and `journalctl --user -u codex-authd`',
      });
    },
  };
}
