/** Sends a refresh token once, with the program as it was built, and writes down what came of it. */
import { Secret } from '../../dist/core/secret.js';
import { TokenEndpoint } from '../../dist/token-endpoint/token-endpoint.js';

const [url, longestAnswerMs] = process.argv.slice(2);
const endpoint = new TokenEndpoint({
  url,
  clientId: 'client-1',
  scope: null,
  bodyFormat: 'json',
  userAgent: 'codex-authd/test',
  env: {},
  longestAnswerMs: Number(longestAnswerMs),
});
const send = await endpoint.prepare();
const answer = await send(
  new Secret('refresh-1'),
  () => undefined,
  () => Promise.resolve(true),
);
console.log(JSON.stringify(answer));
