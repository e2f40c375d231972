import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { readCredential, type CredentialBody } from '../../src/index.js';

/** What a consumer saw. */
export interface Tally {
  reads: number;
  /** Reads that gave a token which had expired when it came. */
  expired: number;
  /** Reads that gave no token. */
  failed: number;
  /** Generations after the first one. */
  rotations: number;
}

export interface ConsumerEvents {
  /** A generation that was not seen before, the first one included. */
  readonly onGeneration: (credential: CredentialBody) => void;
  readonly onExpired: (credential: CredentialBody) => void;
  readonly onFailure: (error: unknown) => void;
}

/** How much validity the consumer asks for. */
export const MIN_VALID_SECONDS = 5;
const PAUSE_MS = 100;

/** Reads the token over and over until the signal comes. */
export async function consume(socket: string, signal: AbortSignal, events: ConsumerEvents): Promise<Tally> {
  const tally: Tally = { reads: 0, expired: 0, failed: 0, rotations: 0 };
  let generation: number | null = null;
  while (!signal.aborted) {
    try {
      const credential = await readCredential({ socket, minValid: MIN_VALID_SECONDS, signal });
      tally.reads += 1;
      if (expiryOf(credential) <= Date.now()) {
        tally.expired += 1;
        events.onExpired(credential);
      }
      if (credential.generation !== generation) {
        if (generation !== null) tally.rotations += 1;
        generation = credential.generation;
        events.onGeneration(credential);
      }
    } catch (error) {
      if (error === signal.reason) break;
      tally.failed += 1;
      events.onFailure(error);
    }
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
  return tally;
}

/** What the token itself says, in milliseconds since the epoch: the daemon's word for it is what is on trial here. */
function expiryOf(credential: CredentialBody): number {
  return (decodeJwt(credential.access_token).exp ?? 0) * 1000;
}
