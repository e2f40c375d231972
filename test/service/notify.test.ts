import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadDatagrams } from '../../src/os/datagram.js';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { until } from '../support/linux-proc.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { openNotifySocket } from '../support/notify-socket.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const USUAL = 'WATCHDOG_USEC=60000000';
const AT_STAKE = 'WATCHDOG_USEC=600000000';

describe.runIf(process.platform === 'linux')('systemd', () => {
  it('is asked for patience before a refresh token leaves, and for no more when its answer is stored', async () => {
    const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: 3600 });
    onTestFinished(() => endpoint.close());
    const manager = openNotifySocket();
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(endpoint.login()));
    const env = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '60000000' };
    const daemon = await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url, env });
    const told: string[] = [];
    const hears = (message: string): Promise<void> =>
      until(() => {
        told.push(...manager.read());
        return Promise.resolve(told.includes(message));
      });
    await hears(`WATCHDOG=1\n${USUAL}`);

    const gate = endpoint.holdNext();
    const refreshed = daemon.ask('/v1/refresh', 'POST');
    await gate.arrived;
    expect(manager.read()).toContain(AT_STAKE);
    gate.open();
    expect((await refreshed).status).toBe(200);
    await hears(USUAL);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('is not waited for where it reads nothing, and has no room for more', async () => {
    const { address } = openNotifySocket();
    const send = await loadDatagrams();
    if (send === null) throw new Error('koffi is not installed');
    const tellAll = (): void => {
      for (let count = 0; count < 100_000; count += 1) send(address, 'WATCHDOG=1');
    };
    expect(tellAll).toThrow('the datagram was not sent: errno 11');
  });
});
