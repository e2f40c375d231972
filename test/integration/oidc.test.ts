import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { startOidcServer } from '../support/oidc-server.js';

describe('the daemon against a certified OAuth server', () => {
  it('keeps a login alive over many rotations, with the standard form, and never spends a token twice', async () => {
    const server = await startOidcServer({ lifetimeSeconds: 3 });
    onTestFinished(() => server.close());
    const sandbox = await ownSandbox();
    await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(await server.login()));
    const settings = {
      token_endpoint: server.tokenEndpoint,
      client_id: server.clientId,
      scope: server.scope,
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
    await writeFile(sandbox.configFile, `${lines.join('')}body_format = "form"\n`);
    const daemon = await DaemonProcess.start({ sandbox, env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: '' } });

    const log = daemon.listen();
    await log.until(
      ({ event, data }) => event === 'state' && data.state === 'fresh' && data.generation === 4,
    );
    expect(server.refreshes.map(({ outcome }) => outcome)).toEqual(server.refreshes.map(() => 'rotated'));
    const fingerprints = server.refreshes.map(({ fingerprint }) => fingerprint);
    expect(new Set(fingerprints).size).toBe(fingerprints.length);
    expect(await daemon.account()).toMatchObject({ plan: 'pro', written_by: 'codex-authd' });
  });
});
