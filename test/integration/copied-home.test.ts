import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished, describe } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

const HOUR_S = 3600;

/** A login of this endpoint's of which a rotation is due: its access token has 5 minutes left. */
function due(endpoint: StrictTokenEndpoint): LoginTokens {
  return makeLoginTokens({
    issuedAtMs: Date.now() - 55 * 60 * 1000,
    lifetimeSeconds: HOUR_S,
    refreshToken: endpoint.login().refresh_token,
  });
}

/** A home with that login, and a copy of it which has the same state directory, as two homes of one user have. */
async function copied() {
  const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: HOUR_S });
  onTestFinished(() => endpoint.close());
  const [home, copy] = [await ownSandbox(), await ownSandbox()];
  const original = join(home.codexHome, 'auth.json');
  await writeAuthFile(original, chatgptFile(due(endpoint)));
  await copyFile(original, join(copy.codexHome, 'auth.json'));
  const env = { XDG_STATE_HOME: home.env['XDG_STATE_HOME'] ?? '' };
  return {
    endpoint,
    startOriginal: () => DaemonProcess.start({ sandbox: home, tokenEndpoint: endpoint.url }),
    startCopy: () => DaemonProcess.start({ sandbox: copy, tokenEndpoint: endpoint.url, env }),
  };
}

describe('a copy of a home, kept by a daemon of its own', () => {
  it('does not end the login that the other daemon has gone on from', async () => {
    const { endpoint, startOriginal, startCopy } = await copied();
    const original = await startOriginal();
    await original.listen().until(({ event, data }) => event === 'credential' && data.generation === 2);
    await original.stop();
    const copy = await startCopy();
    await copy.listen().untilState('login_required');
    expect((await copy.account()).reason).toBe('refresh_token_spent');
    expect(endpoint.requests.map(({ outcome }) => outcome)).toEqual(['rotated']);
  });

  it('does not send the token that the other daemon is sending', async () => {
    const { endpoint, startOriginal, startCopy } = await copied();
    const gate = endpoint.holdNext();
    const original = await startOriginal();
    await gate.arrived;
    const copy = await startCopy();
    await copy.listen().until(({ event, data }) => event === 'state' && data.reason === 'locked_elsewhere');
    gate.open();
    await original.listen().until(({ event, data }) => event === 'credential' && data.generation === 2);
    await original.stop();
    await copy
      .listen()
      .until(({ event, data }) => event === 'state' && data.reason === 'refresh_token_spent');
    expect(endpoint.requests.map(({ outcome }) => outcome)).toEqual(['rotated']);
  });
});
