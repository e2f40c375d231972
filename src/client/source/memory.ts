import type { CredentialBody } from '../../protocol.js';
import type { AuthdEvent } from '../events.js';
import type { DaemonTime } from './daemon-time.js';

/**
 * A token counts as expired so long before it is: the daemon tells the clock's offset in whole seconds, and a request
 * has to arrive with it.
 */
const MARGIN_MS = 1000;

/**
 * The credential in memory, and what decides which of two is the newer one. The stream of events comes in order, so it is
 * always right; the answer to a request is right unless something was heard since it was sent.
 */
export class Memory {
  readonly #time: DaemonTime;
  readonly #listeners = new Set<() => void>();
  #credential: CredentialBody | null = null;
  #endsAtMs = Infinity;
  /** How often something was heard. */
  #heard = 0;
  /** The newest credential that was heard of, also if it is forgotten. */
  #generation = 0;

  constructor(time: DaemonTime) {
    this.#time = time;
  }

  /** What may be given out now. The same object for as long as it is the same credential. */
  get current(): CredentialBody | null {
    return this.#credential !== null && this.#time.now() < this.#endsAtMs ? this.#credential : null;
  }

  /** How long what is in memory may still be given out; not above 0 if there is nothing. */
  get leftMs(): number {
    return this.#credential === null ? -Infinity : this.#endsAtMs - this.#time.now();
  }

  hear(event: AuthdEvent): void {
    this.#heard += 1;
    if (event.event === 'credential') {
      this.#keep(event.data);
    } else {
      this.#time.learn(event.data.clock_offset_seconds * 1000);
      if (!event.data.serving) this.#credential = null;
    }
    this.stir();
  }

  /** A moment that {@link take} compares with; to be kept while a request is on its way. */
  get moment(): number {
    return this.#heard;
  }

  /** Takes an answer to a request that was sent at that moment, unless something newer is known: then false. */
  take(answer: CredentialBody, moment: number): boolean {
    if (moment !== this.#heard && answer.generation <= this.#generation) return false;
    this.#heard += 1;
    this.#keep(answer);
    this.stir();
    return true;
  }

  forget(): void {
    this.#heard += 1;
    this.#credential = null;
    this.stir();
  }

  /** Wakes whoever waits for news. */
  stir(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` whenever something was heard; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #keep(next: CredentialBody): void {
    this.#generation = next.generation;
    const now = this.#credential;
    if (now?.fingerprint === next.fingerprint && now.generation === next.generation) return;
    this.#credential = Object.freeze(next);
    this.#endsAtMs = next.expires_at === null ? Infinity : Date.parse(next.expires_at) - MARGIN_MS;
  }
}
