import type { PublishedCredential } from '../../../src/core/credential.js';
import type { VirtualProcess } from './process.js';
import type { Scene } from './scene.js';

/** How long a daemon may take to believe what it sees, in true time that it was awake for. */
const BELIEF_MS = 15_000;
/** Numbers from here on are instants, in seconds since the epoch. */
const FIRST_INSTANT = 1_000_000_000;
/** A date tells the time to a second, and is as old as its way was long. */
const DATE_ERROR_MS = 3_000;

/** Which credential has which number. */
interface Numbering {
  readonly tokens: Map<
    number,
    { readonly token: string; readonly teller: VirtualProcess; readonly atMs: number }
  >;
  /** Of those that were written down when they were told. */
  greatest: number;
}

/** Looks at what consumers are told. */
export class TellingJudge {
  readonly #scene: Scene;
  /** By the state directory in which they are counted. */
  readonly #numberings = new Map<string, Numbering>();
  /** What each process told last, or what was written down when it began. */
  readonly #greatest = new WeakMap<VirtualProcess, number>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  onStart(process: VirtualProcess): void {
    this.#greatest.set(process, this.#numberings.get(process.stateDirectory)?.greatest ?? 0);
  }

  onToldInstead(process: VirtualProcess, credential: PublishedCredential, reported: string): void {
    if (credential.accessToken.fingerprint === reported) {
      this.#scene.blame('a consumer was given the very token that it had reported');
    }
    this.onTold(process, credential);
  }

  /** Nobody is refused what lies in the file and is valid, once there was time to see it and nothing has been wrong since. */
  onRefused(process: VirtualProcess): void {
    const { world, access, accessSinceMs } = this.#scene;
    const { nowMs } = world.timeline;
    const grant = world.server.accessOf(access ?? '');
    const sinceMs = Math.max(accessSinceMs, world.restlessUntilMs, world.lastErrorAtMs);
    const wasSeen = nowMs > sinceMs + world.beliefMs + BELIEF_MS;
    if (grant === undefined || grant.expiresAtMs - DATE_ERROR_MS <= nowMs) return;
    if (!wasSeen || world.trouble !== null || world.wasClockSet) return;
    this.#scene.blame(`${process.name} refused a consumer although a valid token was there`);
  }

  /** A consumer was given what it had asked for, while nothing stood in the way. */
  onServed(process: VirtualProcess, credential: PublishedCredential, minValidMs: number): void {
    const { world } = this.#scene;
    const grant = world.server.accessOf(credential.accessToken.reveal());
    const leftMs = (grant?.expiresAtMs ?? Infinity) - world.timeline.nowMs;
    if (leftMs < minValidMs - DATE_ERROR_MS)
      this.#scene.blame(`${process.name} gave a token that lives ${String(leftMs)} ms, less than was asked`);
  }

  onTold(process: VirtualProcess, credential: PublishedCredential): void {
    const world = this.#scene.world;
    const nowMs = world.timeline.nowMs;
    const token = credential.accessToken.reveal();
    const grant = world.server.accessOf(token);
    const toleranceMs = world.wasClockSet ? DATE_ERROR_MS : 0;
    if (grant !== undefined && grant.expiresAtMs + toleranceMs <= nowMs && process.canKnowTime) {
      this.#scene.blame('a consumer was given an expired token');
    }
    this.#judgeGeneration(process, credential.generation, token);
    const ours = this.#scene.sendings.findLast(({ access }) => access === token);
    if (ours?.isSealed === false) this.#scene.blame('a token was told before it was durable');
    else if (ours === undefined || !this.#scene.isDurable(ours)) this.#judgeSource(process, token);
  }

  /**
   * A number is one credential's, whoever gives it. What a daemon tells grows as long as it lives, and goes on from what was
   * written down when it began.
   */
  #judgeGeneration(process: VirtualProcess, generation: number, token: string): void {
    const { world } = this.#scene;
    const { stateDirectory } = process;
    const numbering: Numbering = this.#numberings.get(stateDirectory) ?? { tokens: new Map(), greatest: 0 };
    this.#numberings.set(stateDirectory, numbering);
    const known = numbering.tokens.get(generation);
    if (known?.token === token) return;
    // Numbers that cannot be written down are the second in which they are given. Two daemons may give them in one, by a clock
    // that was set back the second one goes back, and where a clock was ahead, those that are written down are ahead as well.
    const { nowMs } = world.timeline;
    const isByTime = generation >= FIRST_INSTANT && world.hadDiskTrouble;
    const isAnothers = known !== undefined && known.teller !== process;
    const isRepeated = known !== undefined && (world.wasClockSet || nowMs - known.atMs < 1000);
    if (isAnothers && isByTime && (isRepeated || generation > nowMs / 1000)) return;
    const isWritten = world.generationIn(stateDirectory) >= generation;
    const greatest = this.#greatest.get(process) ?? 0;
    // By a clock that was set back, the time goes back as well.
    if (generation < greatest && isByTime && world.wasClockSet) return;
    if (known !== undefined) this.#scene.blame(`two credentials have the generation ${String(generation)}`);
    else if (generation < greatest) this.#scene.blame('the generation went back');
    numbering.tokens.set(generation, { token, teller: process, atMs: nowMs });
    this.#greatest.set(process, generation);
    if (isWritten) numbering.greatest = Math.max(generation, numbering.greatest);
  }

  /** What is nowhere but in the file may be told for as long as it is in the file, and until it can be known that it is not. */
  #judgeSource(process: VirtualProcess, token: string): void {
    if (token === this.#scene.access) return;
    const seenAtMs = this.#scene.accessSeen.get(token) ?? -Infinity;
    const { timeline, restlessUntilMs, beliefMs } = this.#scene.world;
    const sinceMs = Math.max(seenAtMs, restlessUntilMs);
    if (timeline.nowMs > sinceMs + beliefMs + BELIEF_MS) {
      const tokenAge = `${String(timeline.nowMs - sinceMs)} ms`;
      this.#scene.blame(`${process.name} tells a token that has not been in the file for ${tokenAge}`);
    }
  }
}
