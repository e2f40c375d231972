import { AuthdError } from '../errors.js';
import type { Publications } from './publications.js';
import { refuseStatic, serveCredential, type Kept } from './serve.js';
import type { ServerTime } from './server-time.js';
import type { Published, PublishRequest, Unpublished } from './snapshot.js';
import { settledWithin } from './wait.js';

/** @throws AuthdError as `CredentialKeeper.publish` says */
export async function servePublish(
  kept: Kept,
  request: PublishRequest,
  time: ServerTime,
  publications: Publications,
): Promise<Published> {
  refuseStatic(kept, 'there is no form of it without a secret that lasts', 'publish a ChatGPT login instead');
  const giveUpAtMs = time.monotonicMs() + request.waitMs;
  await serveCredential(kept, request, time);
  const work = publications.publish(request.directory);
  return settle(work, { ...request, waitMs: Math.max(giveUpAtMs - time.monotonicMs(), 0) }, time);
}

/** @throws AuthdError as `CredentialKeeper.unpublish` says */
export function serveUnpublish(
  request: Pick<PublishRequest, 'directory' | 'waitMs' | 'signal'>,
  time: ServerTime,
  publications: Publications,
): Promise<Unpublished> {
  return settle(publications.unpublish(request.directory), request, time);
}

/** A directory may hang; whoever waits for it does so no longer than was asked. */
async function settle<T>(
  work: Promise<T>,
  { directory, waitMs, signal }: Pick<PublishRequest, 'directory' | 'waitMs' | 'signal'>,
  time: ServerTime,
): Promise<T> {
  if (!(await settledWithin(work, Math.max(waitMs, SHORTEST_WAIT_MS), time, signal))) {
    throw new AuthdError('unavailable', `${directory} does not answer in time; the daemon is still at it`, {
      hint: 'look at it again with `codex-authd status`',
    });
  }
  try {
    return await work;
  } catch (error) {
    // On the socket, a disk that refuses is one of the reasons why something cannot be had now.
    if (!(error instanceof AuthdError) || error.code !== 'storage') throw error;
    throw new AuthdError('unavailable', error.message, { hint: error.hint, cause: error });
  }
}

/** Who waits for no rotation still wants to hear of what takes some milliseconds. */
const SHORTEST_WAIT_MS = 1000;
