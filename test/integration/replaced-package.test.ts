import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { copyPackage } from '../support/installed-package.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';
import { scratchDir } from '../support/scratch-dir.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const HOUR_S = 3600;

it('a daemon whose package an upgrade has removed rotates, is scraped and reloads as before', async () => {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: HOUR_S });
  onTestFinished(() => endpoint.close());
  const sandbox = await ownSandbox();
  const tokens = endpoint.login();
  await writeAuthFile(join(sandbox.codexHome, 'auth.json'), chatgptFile(tokens));
  const app = await scratchDir();
  await copyPackage(app);
  const daemon = await DaemonProcess.start({
    sandbox,
    tokenEndpoint: endpoint.url,
    script: join(app, 'bin', 'codex-authd.js'),
    args: ['--log-level', 'debug'],
  });
  await daemon.logged('all that is needed later is loaded');
  await rm(app, { recursive: true });

  const issuedAtMs = Date.now() - 2 * HOUR_S * 1000;
  const refreshToken = tokens.refresh_token;
  const expired = makeLoginTokens({ issuedAtMs, lifetimeSeconds: HOUR_S, refreshToken });
  await writeAuthFile(daemon.authFile, chatgptFile(expired));
  const log = await daemon.cli.stderrUntil((text) => /"msg":"(rotated|rotation failed)"/.test(text));
  expect(log).not.toContain('rotation failed');
  expect(endpoint.requests).toMatchObject([{ outcome: 'rotated' }]);
  expect((await daemon.ask('/metrics')).status).toBe(200);

  daemon.cli.process.kill('SIGHUP');
  await daemon.logged('configuration read again');
  expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(200);
  expect((await daemon.stop()).code).toBe(0);
});
