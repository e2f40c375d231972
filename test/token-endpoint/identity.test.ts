import { expect, it } from 'vitest';
import { TokenEndpoint, type TokenEndpointOptions } from '../../src/token-endpoint/token-endpoint.js';

const OPTIONS: TokenEndpointOptions = {
  url: 'https://auth.example.com/token',
  clientId: 'client-1',
  scope: null,
  bodyFormat: 'json',
  userAgent: 'codex-authd/test',
  env: {},
};

function identityOf(changes: Partial<TokenEndpointOptions> = {}): string {
  return new TokenEndpoint({ ...OPTIONS, ...changes }).identity;
}

it('a token endpoint is another one for each URL, client id and body format, and for nothing else', () => {
  const identities = [
    identityOf(),
    identityOf({ url: 'https://auth.example.com/tokens' }),
    identityOf({ clientId: 'client-2' }),
    identityOf({ bodyFormat: 'form' }),
  ];
  expect(new Set(identities).size).toBe(4);
  expect(identityOf({ userAgent: 'another', env: { HTTPS_PROXY: 'http://proxy' } })).toBe(identities[0]);
  for (const identity of identities) expect(identity).toMatch(/^[0-9a-f]{16}$/);
});
