import { resolve } from 'node:path';
import type { PublishedBody, UnpublishedBody } from '../protocol.js';
import { jsonAnswer, type Answer } from './answer.js';
import { instantOrNull } from './bodies.js';
import { keeperOf, type Exchange } from './context.js';
import type { BodyOf } from './request-bodies.js';

/** `PUT /v1/published` */
export async function answerPublish(exchange: Exchange, body: BodyOf<'Directory'>): Promise<Answer> {
  const keeper = keeperOf(exchange);
  const { minValidMs, waitMs } = exchange.query;
  const request = { ...named(body), minValidMs, waitMs, signal: exchange.disconnected() };
  const { directory, path, generation, fingerprint, expiresAtMs } = await keeper.publish(request);
  const published: PublishedBody = {
    account: keeper.account,
    directory,
    auth_file: path,
    generation,
    fingerprint,
    expires_at: instantOrNull(expiresAtMs),
  };
  return jsonAnswer(200, published);
}

/** `DELETE /v1/published` */
export async function answerUnpublish(exchange: Exchange, body: BodyOf<'Directory'>): Promise<Answer> {
  const keeper = keeperOf(exchange);
  const { waitMs } = exchange.query;
  const request = { ...named(body), waitMs, signal: exchange.disconnected() };
  const { directory, path, removed } = await keeper.unpublish(request);
  const unpublished: UnpublishedBody = { account: keeper.account, directory, auth_file: path, removed };
  return jsonAnswer(200, unpublished);
}

/** One name for one directory: without a slash at the end, and without dots. */
function named({ directory }: BodyOf<'Directory'>): { readonly directory: string } {
  return { directory: resolve(directory) };
}
