import { access, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DaemonCommand } from '../../src/service/daemon-command.js';
import { launchd } from '../../src/service/launchd.js';
import type { ServiceManager } from '../../src/service/service-manager.js';
import type { Step } from '../../src/service/steps.js';
import { scratchDir } from '../support/scratch-dir.js';

/**
 * Stands in for the real one, which is on no machine of these tests, in what is known of it: `bootout` answers before the job is gone,
 * and `bootstrap` fails with 5 as long as the label is not free.
 */
const LAUNCHCTL = `#!/bin/sh
cd "$STAGE" || exit 1
echo "$1" >> calls
countdown() {
  left=$(cat "$1" 2>/dev/null || echo 0)
  [ "$left" -gt 0 ] || return 1
  echo $((left - 1)) > "$1"
}
case "$1" in
  print) test -e loaded && { test ! -e leaving || countdown leaving || { rm -f loaded leaving; exit 113; }; } || exit 113 ;;
  bootout) test -e loaded || exit 3; echo 3 > leaving; echo 2 > releasing; exit "$(cat bootout-code)" ;;
  bootstrap) test ! -e loaded || { echo 'Bootstrap failed: 5: Input/output error' >&2; exit 5; }
    ! countdown releasing || exit 5
    test ! -e refused || { echo 'Bootstrap failed: 125: Domain does not support specified action' >&2; exit 125; }
    touch loaded ;;
  kickstart) test -e loaded ;;
  *) exit 64 ;;
esac
`;

let home: string;
let stage: string;
let manager: ServiceManager;
let command: DaemonCommand;

beforeEach(async () => {
  home = await scratchDir();
  stage = await scratchDir();
  const bin = join(stage, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'launchctl'), LAUNCHCTL);
  await chmod(join(bin, 'launchctl'), 0o755);
  await writeFile(join(stage, 'bootout-code'), '0');
  manager = launchd({ HOME: home, STAGE: stage, PATH: `${bin}:${process.env['PATH'] ?? ''}` });
  command = {
    node: '/opt/homebrew/bin/node',
    script: '/opt/codex-authd/bin/codex-authd.js',
    args: ['run'],
    environment: {},
    socket: join(home, 'run', 'authd.sock'),
  };
});

async function follow(steps: readonly Step[]): Promise<string[]> {
  for (const step of steps) await step.run();
  return steps.map(({ does }) => does);
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

describe('the launch agent', () => {
  it('is written and loaded once, and a second time there is nothing to do', async () => {
    const domain = `gui/${String(process.getuid?.())}`;
    const plist = join(home, 'Library', 'LaunchAgents', 'codex-authd.plist');
    expect(await follow(await manager.planInstall(command, false))).toEqual([
      `make ${join(home, 'run')}, 0700`,
      `write ${plist}`,
      `run \`launchctl bootstrap ${domain} ${plist}\``,
    ]);
    expect(await manager.status()).toMatchObject({ installed: true, enabled: true });
    expect(await manager.planInstall(command, false)).toEqual([]);
    expect(await follow(await manager.planInstall(command, true))).toEqual([
      `run \`launchctl kickstart -k ${domain}/codex-authd\``,
    ]);
  });

  it.each([0, 36])(
    'is replaced only when the old job is gone, and its label free (bootout: %i)',
    async (code) => {
      await follow(await manager.planInstall(command, false));
      await writeFile(join(stage, 'bootout-code'), String(code));
      await follow(await manager.planInstall({ ...command, args: ['run', '--verbose'] }, false));
      expect(await isThere(join(stage, 'loaded'))).toBe(true);
      const calls = (await readFile(join(stage, 'calls'), 'utf8')).split('\n');
      expect(calls.filter((call) => call === 'bootout')).toHaveLength(1);
      expect(calls.filter((call) => call === 'bootstrap')).toHaveLength(4);
    },
  );

  it('is gone when it is uninstalled, also where it ended by itself in between', async () => {
    await follow(await manager.planInstall(command, false));
    await follow(await manager.planUninstall());
    expect(await manager.status()).toMatchObject({ installed: false, enabled: false });
    await follow(await manager.planInstall(command, false));
    const steps = await manager.planStop();
    await follow(steps);
    await follow(steps);
    expect(await isThere(join(stage, 'loaded'))).toBe(false);
  });

  it('says why it cannot be loaded', async () => {
    await writeFile(join(stage, 'refused'), '');
    await expect(follow(await manager.planInstall(command, false))).rejects.toMatchObject({
      code: 'service',
      message: expect.stringContaining('125: Domain does not support') as unknown,
    });
  });
});
