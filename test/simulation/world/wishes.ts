import { Secret } from '../../../src/core/secret.js';
import type { VirtualProcess } from './process.js';

/** What consumers wanted of one daemon. */
interface Wish {
  /** When access tokens were first reported as rejected, by their fingerprints. All times are the monotonic clock's. */
  readonly reported: Map<string, number>;
  /** When anything else was last asked of it. */
  demandAtMs: number;
  /** When somebody last told it to rotate, whatever stands against it. */
  orderAtMs: number;
  /** When the report came that made it send last. */
  drivenAtMs: number;
  /** Whether it found no way to the server since it sent last: it tries that again, whatever is wished meanwhile. */
  isTurnedBack: boolean;
}

/** What consumers wanted of each daemon. */
export class Wishes {
  readonly #byProcess = new WeakMap<VirtualProcess, Wish>();

  of(process: VirtualProcess): Wish {
    const known = this.#byProcess.get(process);
    if (known !== undefined) return known;
    const never = { demandAtMs: -Infinity, orderAtMs: -Infinity, drivenAtMs: -Infinity };
    const none = { reported: new Map<string, number>(), ...never, isTurnedBack: false };
    this.#byProcess.set(process, none);
    return none;
  }

  /** When an access token was first reported to a daemon; undefined if it never was. */
  reportedAtMs(process: VirtualProcess, token: string | undefined): number | undefined {
    return token === undefined ? undefined : this.of(process).reported.get(new Secret(token).fingerprint);
  }
}
