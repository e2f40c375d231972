import { holdsToken } from '../core/login.js';
import { readOutcome } from '../core/outcome.js';
import type { Secret } from '../core/secret.js';
import { LOST_UNSENT, makeReady, type Release, type Ready } from './make-ready.js';
import type { OpenJournalPort } from './ports.js';
import { blocked, OVERTAKEN, type RotationPorts, type RotationResult } from './rotation.js';
import { store } from './store-harvest.js';

/**
 * The whole story of one rotation. `known` is the refresh token that the caller takes to be the file's, `isDoubted`
 * whether it may have been spent by a sending before this one.
 * Nothing stops it between the request and the end of the commit: no caller can cancel it.
 */
export async function rotate(
  known: Secret,
  isDoubted: boolean,
  ports: RotationPorts,
): Promise<RotationResult> {
  const releases: Release[] = [];
  try {
    const ready = await makeReady(known, isDoubted, ports, releases);
    return ready.kind === 'ready' ? await spend(known, isDoubted, ready, ports) : ready;
  } finally {
    // By now it is known what came of it: nothing that fails here may say otherwise.
    for (const release of releases.toReversed()) await release().catch(() => undefined);
  }
}

/** From the connection to the file. Once it has begun, the refresh token may have left, whatever fails. */
async function spend(
  known: Secret,
  isDoubted: boolean,
  { startedAtMs, tenure, send, stage, journal }: Ready,
  ports: RotationPorts,
): Promise<RotationResult> {
  const { authFile, lock, clock } = ports;
  const { fingerprint: spent } = known;
  // All that took its time, as the connection does, and with it went the lock perhaps, or the login. Taken anew meanwhile,
  // the lock is no better than lost: somebody may have had it in between.
  const look = { isWithheld: false };
  const mayLeave = async (): Promise<boolean> => {
    const last = await authFile.read();
    const isOurs = (await lock.confirm()) && lock.tenure === tenure;
    look.isWithheld = !isOurs || !holdsToken(last, spent);
    return !look.isWithheld;
  };
  const answer = await send(known, journal.record.bind(journal), mayLeave);
  if (look.isWithheld) {
    // It tells of the sending before, too.
    if (!isDoubted) await journal.discard().catch(() => undefined);
    return lock.held ? OVERTAKEN : blocked('locked_elsewhere', LOST_UNSENT);
  }
  const isDurable = await seal(journal);

  const outcome = readOutcome(answer, clock.now());
  if (outcome.kind !== 'rotated') return { kind: 'failed', outcome };
  const harvest = { spent, startedAtMs, tokens: outcome.tokens, isDurable, isStored: false };
  ports.onHarvest(harvest);
  return store(harvest, ports, stage);
}

/** Whether what was recorded would outlive a loss of power. */
async function seal(journal: OpenJournalPort): Promise<boolean> {
  try {
    await journal.seal();
    return true;
  } catch {
    return false;
  }
}
