import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readStatus } from '../../src/client/status.js';
import { runCli } from '../cli/run-cli.js';
import { DaemonProcess } from '../support/daemon-process.js';

const WARNING = "Codex's own locks cannot be taken";
const NODE_OPTIONS = process.env['NODE_OPTIONS'] ?? '';
const WITHOUT_KOFFI = fileURLToPath(new URL('../support/without-koffi.mjs', import.meta.url));

describe('the kernel locks of a daemon', () => {
  it('are flock, and nothing is said of them', async () => {
    const daemon = await DaemonProcess.start();
    expect(await readStatus(daemon.socket)).toMatchObject({ locks: 'flock' });
    const { stdout } = await runCli(daemon.sandbox, ['status']);
    expect(stdout).not.toContain('locks');
    const { stderr } = await daemon.stop();
    expect(stderr).not.toContain(WARNING);
  });

  it('are less without the package koffi: log and status say what that means', async () => {
    const daemon = await DaemonProcess.start({
      env: { NODE_OPTIONS: `${NODE_OPTIONS} --import=${WITHOUT_KOFFI}` },
    });
    const locks = process.platform === 'linux' ? 'abstract socket' : 'none';
    expect(await readStatus(daemon.socket)).toMatchObject({ locks });
    const { stdout } = await runCli(daemon.sandbox, ['status']);
    expect(stdout).toContain(`  locks          ${locks}, without koffi: ${WARNING}\n`);
    const { stderr } = await daemon.stop();
    expect(stderr.split(WARNING)).toHaveLength(2);
    expect(stderr).toContain('npm install koffi');
  });
});
