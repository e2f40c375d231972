import type { CredentialBody } from '../../protocol.js';
import type { Memory } from './memory.js';
import { pause } from './pause.js';
import type { Refs } from './refs.js';

/** A timer stands still while the machine sleeps (facts 5.4): so often the clock is looked at. */
const LONGEST_NAP_MS = 10_000;

export interface ChangesOptions {
  readonly memory: Memory;
  readonly refs: Refs;
  /** Ends it. */
  readonly closed: AbortSignal;
  readonly signal: AbortSignal | undefined;
}

/**
 * What is current, now and whenever that changes; null for nothing, also when it has just expired. Nothing is queued:
 * who comes back late gets the newest.
 */
export async function* followChanges({
  memory,
  refs,
  closed,
  signal,
}: ChangesOptions): AsyncGenerator<CredentialBody | null, void> {
  let told: CredentialBody | null | undefined;
  for (;;) {
    signal?.throwIfAborted();
    if (closed.aborted) return;
    const { current } = memory;
    if (current !== told) {
      told = current;
      yield current;
      continue;
    }
    const napMs = current === null ? LONGEST_NAP_MS : Math.min(memory.leftMs, LONGEST_NAP_MS);
    const letGo = refs.hold();
    await pause(napMs, { signal, onNews: (wake) => memory.subscribe(wake) });
    letGo();
  }
}
