import { withTokens } from '../core/edit.js';
import { holdsToken } from '../core/login.js';
import { Secret } from '../core/secret.js';
import { AuthdError, describeError } from '../errors.js';
import { learnOf } from './learn.js';
import type { Intent, OpenJournalPort, SendRefresh, StagePort, TokenLock } from './ports.js';
import { blocked, OVERTAKEN, stateFailure, type RotationPorts, type RotationResult } from './rotation.js';

/** Lets go of something that a rotation has taken. */
export type Release = () => Promise<void>;

/** All that can be done beforehand has been done, and nothing has been sent. */
export interface Ready {
  readonly kind: 'ready';
  readonly startedAtMs: number;
  readonly tenure: object | null;
  readonly send: SendRefresh;
  readonly stage: StagePort;
  readonly journal: OpenJournalPort;
}

export const LOST_UNSENT = 'the lock was lost before anything was sent';
const SENT_ELSEWHERE = 'another daemon, whose home has a copy of this login, is sending its refresh token';

/**
 * Does all of a rotation that can be done before there is a connection. What it takes is let go of by `releases`, in the
 * opposite order, also where it fails.
 */
export async function makeReady(
  known: Secret,
  isDoubted: boolean,
  ports: RotationPorts,
  releases: Release[],
): Promise<Ready | RotationResult> {
  try {
    return await takeAll(known, isDoubted, ports, releases);
  } catch (error) {
    return explainBlocked(error);
  }
}

async function takeAll(
  known: Secret,
  isDoubted: boolean,
  ports: RotationPorts,
  releases: Release[],
): Promise<Ready | RotationResult> {
  const { authFile, endpoint, lock, clock } = ports;
  const { fingerprint } = known;
  const { tenure } = lock;
  // Whoever had the lock until now may have sent this very token: that is looked at first.
  if ((await lock.ensure()) === 'taken') return OVERTAKEN;

  const before = await authFile.read();
  if (!holdsToken(before, fingerprint)) return OVERTAKEN;
  const tokenLock = await takeTokenLock(ports, fingerprint);
  if (tokenLock === null)
    return blocked('locked_elsewhere', SENT_ELSEWHERE, 'nothing to do: it is tried again');
  releases.push(() => tokenLock.release());
  if (await learnOf(known, isDoubted, ports)) return OVERTAKEN;

  rehearse(before.text, clock.now());
  const send = await endpoint.prepare();
  const stage = await authFile.stage(Buffer.byteLength(before.text), () => lock.held);
  releases.push(() => stage.discard());
  const startedAtMs = clock.now();
  const journal = await openJournal(ports, { spent: fingerprint, startedAtMs });
  releases.push(() => journal.close());
  return { kind: 'ready', startedAtMs, tenure, send, stage, journal };
}

async function takeTokenLock({ tokenLocks }: RotationPorts, fingerprint: string): Promise<TokenLock | null> {
  try {
    return await tokenLocks.take(fingerprint);
  } catch (error) {
    throw stateFailure('the refresh token cannot be locked', error);
  }
}

async function openJournal({ journal, lock }: RotationPorts, intent: Intent): Promise<OpenJournalPort> {
  // Whoever begins a journal removes those that were never begun: another one's may be just that.
  if (!lock.held) throw new AuthdError('already_running', LOST_UNSENT);
  try {
    return await journal.begin(intent);
  } catch (error) {
    throw stateFailure('the journal cannot be written', error);
  }
}

/** Edits the text as it will be edited with the real answer, so that a document in which that fails costs no token. */
function rehearse(text: string, nowMs: number): void {
  const stand = new Secret('e30.e30.e30');
  try {
    withTokens(text, { accessToken: stand, refreshToken: stand, idToken: stand }, nowMs);
  } catch (error) {
    throw new AuthdError(
      'storage',
      `new tokens could not be written into auth.json: ${describeError(error)}`,
      {
        hint: 'run `codex login`',
        cause: error,
      },
    );
  }
}

function explainBlocked(error: unknown): RotationResult {
  if (!(error instanceof AuthdError)) throw error;
  switch (error.code) {
    case 'already_running':
      return blocked('locked_elsewhere', error.message, error.hint);
    case 'bad_configuration':
      return blocked('unreachable', error.message, error.hint);
    default:
      return blocked('storage_unavailable', error.message, error.hint);
  }
}
