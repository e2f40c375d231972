import type { PublishedCredential } from '../core/credential.js';
import { AuthdError } from '../errors.js';
import type { Rejections } from './rejections.js';
import { fail, refuseStatic, serveCredential, type Kept } from './serve.js';
import type { ServerTime } from './server-time.js';
import type { RejectionRequest } from './snapshot.js';
import { settledWithin } from './wait.js';

/**
 * A credential for a consumer whose access token was answered with a 401: the current one if that is another one by
 * now, else the one after a rotation. Whoever reports the same token meanwhile waits for the same rotation; whoever
 * reports none goes on being served.
 *
 * @throws AuthdError `rate_limited` soon after another rotation on such a report, `unsupported` if the login cannot be
 *   renewed, with the code of the state if there is no other credential in time
 */
export async function serveRejected(
  kept: Kept,
  { fingerprint, minValidMs, waitMs, signal }: RejectionRequest,
  time: ServerTime,
  rejections: Rejections,
): Promise<PublishedCredential> {
  const giveUpAtMs = time.monotonicMs() + waitMs;
  const leftMs = (): number => Math.max(giveUpAtMs - time.monotonicMs(), 0);
  const isCurrent = (): boolean => fingerprintOf(kept) === fingerprint;
  if (isCurrent()) {
    rejections.note(fingerprint);
    // Somebody else may have renewed it, and no event may have told so yet.
    await settledWithin(kept.observe(), leftMs(), time, signal);
  }
  for (let attempts = 0; isCurrent() && attempts < MOST_ATTEMPTS;) {
    const help = helpAgainst(kept, leftMs(), time, rejections);
    if (help.isAttempt) attempts += 1;
    await untilHelped(kept, help, time, signal);
    if (isCurrent() && (signal?.aborted === true || leftMs() === 0)) break;
  }
  if (isCurrent()) return fail(kept, time, { detail: 'no other access token came in time' });
  const credential = await serveCredential(
    kept,
    { minValidMs, waitMs: leftMs(), ...(signal && { signal }) },
    time,
  );
  // An older Codex may have put it back into the file meanwhile (facts 3.3).
  if (credential.accessToken.fingerprint !== fingerprint) return credential;
  return fail(kept, time, { detail: 'auth.json holds the rejected access token again' });
}

/** A rotation may end before it has sent anything, for what it met in the file: the next one knows better. */
const MOST_ATTEMPTS = 2;

interface Help {
  /** Null for whoever has to wait until something can be done. */
  readonly work: Promise<void> | null;
  readonly waitMs: number;
  /** Whether a rotation was started on this report. */
  readonly isAttempt: boolean;
}

/**
 * What to wait for: the rotation in flight, a new one, or the time of the next one. After an unknown outcome a report
 * is what allows to ask again: the token is of no use to anybody then, and there is nothing to be lost by it.
 *
 * @throws AuthdError if nothing helps in time
 */
function helpAgainst(kept: Kept, leftMs: number, time: ServerTime, rejections: Rejections): Help {
  if (kept.flight !== null) return { work: kept.flight, waitMs: leftMs, isAttempt: false };
  refuseStatic(
    kept,
    'a rejected one cannot be renewed',
    'check that it is still good, else run `codex login`',
  );
  const { setback, nextRotationAtMs } = kept;
  if (nextRotationAtMs === null) return fail(kept, time);
  const nowMs = time.now();
  const allowedAtMs = nowMs + rejections.leftMs(time);
  const patientUntilMs =
    setback === null ? nowMs : (setback.onRejectionAtMs ?? setback.retryAtMs ?? Infinity);
  const helpAtMs = Math.min(nextRotationAtMs, Math.max(allowedAtMs, patientUntilMs));
  if (helpAtMs > nowMs && helpAtMs >= nowMs + leftMs) {
    const retryAtMs = time.toMachineTime(helpAtMs);
    if (allowedAtMs > patientUntilMs) throw tooSoon(rejections, retryAtMs);
    return fail(kept, time, { retryAtMs });
  }
  if (helpAtMs > nowMs) return { work: null, waitMs: helpAtMs - nowMs, isAttempt: false };
  if (nextRotationAtMs <= nowMs) return { work: kept.rotate(), waitMs: leftMs, isAttempt: false };
  return { work: rejections.rotate(kept, time), waitMs: leftMs, isAttempt: true };
}

/** Waits for the help, or for whatever other credential may come first. */
async function untilHelped(
  kept: Kept,
  { work, waitMs }: Help,
  time: ServerTime,
  signal: AbortSignal | undefined,
): Promise<void> {
  let stop = (): void => undefined;
  const news = new Promise<void>((resolve) => {
    stop = kept.subscribe(({ type }) => {
      if (type === 'credential') resolve();
    });
  });
  await settledWithin(work === null ? news : Promise.race([work, news]), waitMs, time, signal);
  stop();
}

function fingerprintOf({ login }: Kept): string | null {
  return login.kind === 'none' ? null : login.credential.accessToken.fingerprint;
}

function tooSoon({ intervalMs }: Rejections, retryAtMs: number): AuthdError {
  const seconds = String(Math.ceil(intervalMs / 1000));
  return new AuthdError('rate_limited', `a reported access token was renewed less than ${seconds} s ago`, {
    hint: 'if each new one is answered with a 401 too, check the base URL and the ChatGPT-Account-ID header',
    retryAtMs,
  });
}
