import { servable } from '../core/state.js';
import type { PublishedCredential } from '../core/credential.js';
import { AuthdError } from '../errors.js';
import type { CredentialKeeper, RejectionRequest } from '../keeper/snapshot.js';
import { jsonAnswer, textAnswer, type Answer } from './answer.js';
import { credentialBody } from './bodies.js';
import { keeperOf, type Exchange } from './context.js';
import { readProblem } from './problem.js';
import type { BodyOf } from './request-bodies.js';

/** `GET /v1/credential` */
export async function answerCredential(exchange: Exchange): Promise<Answer> {
  const keeper = keeperOf(exchange);
  const credential = await validCredential(exchange, keeper);
  const etag = `"${String(credential.generation)}"`;
  if (namesTag(exchange.request.headers['if-none-match'], etag)) {
    return { status: 304, headers: { ETag: etag }, body: '' };
  }
  return jsonAnswer(200, credentialBody(keeper.account, credential), { ETag: etag });
}

/** `GET /v1/token` */
export async function answerToken(exchange: Exchange): Promise<Answer> {
  const credential = await validCredential(exchange, keeperOf(exchange));
  return textAnswer(200, 'text/plain; charset=utf-8', `${credential.accessToken.reveal()}\n`);
}

/** `POST /v1/refresh` */
export async function answerRefresh(exchange: Exchange): Promise<Answer> {
  const keeper = keeperOf(exchange);
  const { waitMs } = exchange.query;
  const credential = await keeper.refresh({ waitMs, signal: exchange.disconnected() });
  refuseExpired(keeper, credential);
  const etag = `"${String(credential.generation)}"`;
  return jsonAnswer(200, credentialBody(keeper.account, credential), { ETag: etag });
}

/** `POST /v1/rejected` */
export async function answerRejected(
  exchange: Exchange,
  { fingerprint }: BodyOf<'Rejection'>,
): Promise<Answer> {
  const keeper = keeperOf(exchange);
  const { minValidMs, waitMs } = exchange.query;
  const request = { fingerprint, minValidMs, waitMs, signal: exchange.disconnected() };
  const credential = await keeper.rejected(request);
  refuseExpired(keeper, credential);
  const etag = `"${String(credential.generation)}"`;
  return jsonAnswer(200, credentialBody(keeper.account, credential), { ETag: etag });
}

async function validCredential(exchange: Exchange, keeper: CredentialKeeper): Promise<PublishedCredential> {
  const { minValidMs, waitMs, asker } = exchange.query;
  const request = { minValidMs, waitMs, signal: exchange.disconnected() };
  const { askers } = exchange.context;
  const rejected = asker === undefined ? undefined : askers.recall(keeper.account, asker);
  const credential = await (rejected === undefined
    ? keeper.credential(request)
    : credentialInstead(keeper, { ...request, fingerprint: rejected }));
  refuseExpired(keeper, credential);
  if (asker !== undefined) askers.remember(keeper.account, asker, credential.accessToken.fingerprint);
  return credential;
}

/**
 * Another token than one that seems to have been rejected. If there is none in time, the same again while it is valid:
 * without any, Codex sends a request that is sure to fail (facts 4.2), and the rejection is no more than a guess.
 */
async function credentialInstead(
  keeper: CredentialKeeper,
  request: RejectionRequest,
): Promise<PublishedCredential> {
  try {
    return await keeper.rejected(request);
  } catch (error) {
    if (readProblem(error) === null) throw error;
    return keeper.credential({ minValidMs: 0, waitMs: 0 });
  }
}

/** Time has passed since the keeper chose it, and the clock may have jumped: nobody is given an expired token. */
function refuseExpired(keeper: CredentialKeeper, credential: PublishedCredential): void {
  if (servable(credential, keeper.now())) return;
  throw new AuthdError('unavailable', 'the access token expired at this moment, a new one is due', {
    hint: 'ask again',
  });
}

/** Whether an If-None-Match header names the tag: a list, weak or not, or `*` (RFC 9110 §13.1.2). */
function namesTag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => {
    const tag = part.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}
