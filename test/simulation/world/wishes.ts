import { Secret } from '../../../src/core/secret.js';
import type { VirtualProcess } from './process.js';

/** What consumers wanted of one daemon. */
interface Wish {
  /** The fingerprints of the access tokens that were reported as rejected. */
  readonly reported: Set<string>;
  /** When anything else was last asked of it, and when a report last made it send, by the monotonic clock. */
  demandAtMs: number;
  drivenAtMs: number;
}

/** What consumers wanted of each daemon. */
export class Wishes {
  readonly #byProcess = new WeakMap<VirtualProcess, Wish>();

  of(process: VirtualProcess): Wish {
    const known = this.#byProcess.get(process);
    if (known !== undefined) return known;
    const none = { reported: new Set<string>(), demandAtMs: -Infinity, drivenAtMs: -Infinity };
    this.#byProcess.set(process, none);
    return none;
  }

  isReported(process: VirtualProcess, token: string | undefined): boolean {
    return token !== undefined && this.of(process).reported.has(new Secret(token).fingerprint);
  }
}
