import { describe, expect, it, onTestFinished } from 'vitest';
import { authInterceptor } from '../../src/index.js';
import { describeInterceptor } from '../client/interceptor-contract.js';
import { ScriptedSource, startBackend } from '../client/requests.js';
import { loadUndici, UNDICI_VERSIONS } from '../support/undici-package.js';

const NODE = majorOf(process.versions.node);
/** What Node's own `fetch` is made of. */
const OWN = majorOf(process.versions['undici'] ?? '');

for (const { version } of UNDICI_VERSIONS.filter(({ node }) => NODE >= node)) {
  const undici = await loadUndici(version);
  describe(`with undici ${version}`, () => {
    describeInterceptor(undici);

    const major = majorOf(version);
    // Undici 7 takes the handlers of 6 and of 8 as well.
    if (major !== OWN && major !== 7) return;
    it('and Node’s own fetch', async () => {
      const api = await startBackend('new');
      const base = `${api.origin}/backend-api/codex`;
      const agent = new undici.Agent();
      onTestFinished(() => agent.destroy());
      // Its types are those of one version only.
      const init: object = { dispatcher: agent.compose(authInterceptor(new ScriptedSource(base))) };
      const response = await fetch(`${base}/a`, init);
      expect([response.status, await response.text()]).toEqual([200, 'hello ']);
    });
  });
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}
