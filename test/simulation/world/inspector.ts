import type { PublishedCredential } from '../../../src/core/credential.js';
import { readLogin } from '../../../src/core/login.js';
import { Secret } from '../../../src/core/secret.js';
import type { Inode } from './disk.js';
import { parseDocument } from './login-text.js';
import type { Sending, Witness } from './network.js';
import type { VirtualProcess } from './process.js';
import type { World } from './world.js';

/** Room for the answer, in the journal and beside auth.json. */
const JOURNAL_BYTES = 1024 * 1024;
const STAGE_BYTES = 16 * 1024;
/** How long a daemon may take to believe what it sees, in true time that it was awake for. */
const BELIEF_MS = 15_000;
/** A date tells the time to a second, and is as old as its way was long. */
const DATE_ERROR_MS = 3_000;
const DISK_FAILED = 'the disk failed when the answer came';
const LAST_SAFE_MOMENT_MS = 600_000;

/** Which credential has which number. */
interface Numbering {
  readonly tokens: Map<number, string>;
  greatest: number;
}

/** How far apart sendings are that nothing but a report explains, less what one may take from its decision on. */
const REPORTS_APART_MS = 50_000;
/** Longer than any consumer waits. */
const DEMAND_MS = 60_000;

/** What consumers wanted of one daemon. */
interface Wishes {
  /** The fingerprints of the access tokens that were reported as rejected. */
  readonly reported: Set<string>;
  /** When anything else was last asked of it, and when a report last made it send, by the monotonic clock. */
  demandAtMs: number;
  drivenAtMs: number;
}

/** Looks at everything that happens, and says what must not have happened. */
export class Inspector implements Witness {
  readonly #world: World;
  readonly sendings: Sending[] = [];
  #violation: string | null = null;
  /** By the state directory in which they are counted. */
  readonly #numberings = new Map<string, Numbering>();
  /** The refresh token of the last whole document in auth.json, and since when others have had a hand in it. */
  #fileToken: string | null = null;
  /** The access token in the file now, and until when others were there. */
  #access: string | null = null;
  readonly #accessSeen = new Map<string, number>();
  readonly #wishes = new WeakMap<VirtualProcess, Wishes>();

  constructor(world: World) {
    this.#world = world;
  }

  get violation(): string | null {
    return this.#violation;
  }

  blame(what: string): void {
    this.#violation ??= what;
    this.#world.note('VIOLATION', what);
  }

  // What others write.

  /** auth.json is not what it was. */
  onAuthChanged(process: VirtualProcess | null): void {
    const text = this.#authText();
    const document = parseDocument(text);
    const token = document?.tokens?.refresh_token ?? null;
    const isOurs = process?.isDaemon === true;
    if (!isOurs && token !== this.#fileToken) {
      // What was got for the old content is nobody's loss any more: the file is the truth (facts 3.3).
      for (const sending of this.sendings) sending.excuse ??= 'somebody else wrote the file';
    }
    if (document !== null || text === null) this.#fileToken = token;
    const { nowMs } = this.#world.timeline;
    if (this.#access !== null) this.#accessSeen.set(this.#access, nowMs);
    const login = text === null ? null : readLogin(text);
    this.#access = login === null || login.kind === 'none' ? null : login.credential.accessToken.reveal();
  }

  /** A daemon has put a file in the place of auth.json. */
  onCommit(process: VirtualProcess, inode: Inode, replaced: Inode | null, isRaced: boolean): void {
    if (!inode.isSynced) this.blame('auth.json was replaced by a file that was not synced');
    if (inode.mode !== 0o600) this.blame(`auth.json has the mode ${inode.mode.toString(8)}`);
    const before = parseDocument(replaced === null ? null : replaced.now.bytes.toString());
    const after = parseDocument(inode.now.bytes.toString());
    if (after?.tokens === undefined) {
      this.blame('auth.json was replaced by something that is no login');
      return;
    }
    if (isRaced) return;
    if (before?.tokens === undefined) {
      this.blame('a login was written where there was none');
      return;
    }
    if (masked(before) !== masked(after)) this.blame('a field that is not ours was changed');
    const parent = before.tokens.refresh_token;
    const child = after.tokens.refresh_token;
    const { server } = this.#world;
    if (child !== parent && server.grantOf(child)?.parent !== parent) {
      this.blame(`what ${process.name} wrote does not follow from what was in the file`);
    }
    const account = server.accessOf(after.tokens.access_token)?.family.account;
    if (account !== before.tokens.account_id) this.blame('the accounts were mixed');
  }

  onDirectoryMade(path: string): void {
    if (path.endsWith('/auth.json.lock') || path.endsWith('/auth.lock')) {
      this.blame(`a directory was made at ${path}`);
    }
  }

  onCodexGaveUp(process: VirtualProcess): void {
    if (!this.#world.wasStopped) this.blame(`${process.name} could not save: its lock was held for too long`);
  }

  // What goes over the wire.

  onSend(process: VirtualProcess, token: string): Sending {
    const world = this.#world;
    const { fingerprint } = new Secret(token);
    if (this.#fileToken !== token && !world.hasAuthChangedSinceRead(process)) {
      this.blame('a refresh token was sent that is not in the file');
    }
    const inFlight = this.sendings.find((other) => other.end === 'pending' && other.process.isAlive);
    if (inFlight !== undefined) this.blame('two rotations at once');
    for (const sending of this.#unsettled(token)) this.#judgeRepetition(process, sending, fingerprint);
    this.#demandRoom(process, fingerprint);
    this.#judgeHaste(process);
    const sending: Sending = {
      token,
      process,
      operation: world.operations,
      end: 'pending',
      child: null,
      access: null,
      isRejected: false,
      isUntouched: false,
      isSealed: false,
      excuse: this.#fileToken === token ? null : 'somebody else wrote the file',
    };
    this.sendings.push(sending);
    return sending;
  }

  /** The sendings of this token that matter: a server that gives no new one does not mind many. */
  #unsettled(token: string): Sending[] {
    const earlier = this.sendings.filter((other) => other.token === token);
    return this.#world.server.isRotating ? earlier : earlier.filter(({ isRejected }) => isRejected);
  }

  #judgeRepetition(process: VirtualProcess, earlier: Sending, fingerprint: string): void {
    const world = this.#world;
    if (earlier.end === 'never sent' || earlier.isUntouched) return;
    if (earlier.isRejected) {
      const isKnown = world.knownDead(process).includes(fingerprint);
      if (earlier.process === process || isKnown) this.blame('a refresh token was sent again that is dead');
      return;
    }
    if (earlier.child !== null && earlier.excuse === null) {
      this.blame('a refresh token was sent again that had been spent');
      return;
    }
    const document = parseDocument(world.disk.read(world.realPath));
    const grant = world.server.accessOf(document?.tokens?.access_token ?? '');
    const lastSafeMs = (grant?.expiresAtMs ?? 0) - LAST_SAFE_MOMENT_MS;
    const isRaced = this.#fileToken !== earlier.token;
    const isReported = this.#isReported(process, grant?.token);
    if (world.timeline.nowMs < lastSafeMs && !world.wasClockSet && !isRaced && !isReported) {
      this.blame('a refresh token was sent again although nobody knew what had become of it');
    }
  }

  /**
   * Whether reports drive the token endpoint. With more than half its life to go, and after a success, no access token is
   * due; if nobody has asked for another, and none had to wait for the disk, only a report can have made the daemon send.
   */
  #judgeHaste(process: VirtualProcess): void {
    const { timeline, server, wasClockSet, wasStopped, hadDiskTrouble, disk, realPath } = this.#world;
    const wishes = this.#wishesOf(process);
    const document = parseDocument(disk.read(realPath));
    const grant = server.accessOf(document?.tokens?.access_token ?? '');
    const isDue = (grant?.expiresAtMs ?? 0) - timeline.nowMs <= server.lifetimeMs / 2;
    const isDemanded = timeline.monotonicMs - wishes.demandAtMs < DEMAND_MS;
    const isRetry = this.sendings.findLast((sending) => sending.process === process)?.access === null;
    if (isDue || isDemanded || isRetry || wasClockSet || wasStopped || hadDiskTrouble) return;
    if (!this.#isReported(process, grant?.token)) return;
    const sinceMs = timeline.monotonicMs - wishes.drivenAtMs;
    wishes.drivenAtMs = timeline.monotonicMs;
    if (sinceMs < REPORTS_APART_MS) this.blame('reports of consumers drive the token endpoint');
  }

  #wishesOf(process: VirtualProcess): Wishes {
    const known = this.#wishes.get(process);
    if (known !== undefined) return known;
    const none = { reported: new Set<string>(), demandAtMs: -Infinity, drivenAtMs: -Infinity };
    this.#wishes.set(process, none);
    return none;
  }

  #isReported(process: VirtualProcess, token: string | undefined): boolean {
    return token !== undefined && this.#wishesOf(process).reported.has(new Secret(token).fingerprint);
  }

  /** Before a token is sent, its answer must have a place. */
  #demandRoom(process: VirtualProcess, fingerprint: string): void {
    const world = this.#world;
    const journal = world.journalOf(process, fingerprint);
    if (journal === null || !journal.isSynced || journal.now.size < JOURNAL_BYTES) {
      this.blame('a refresh token was sent before the intent was durable');
    }
    const hasStage = world.allStages().some((inode) => inode.isSynced && inode.now.size >= STAGE_BYTES);
    if (!hasStage) this.blame('a refresh token was sent before there was room for a new auth.json');
  }

  onAnswer(sending: Sending): void {
    if (sending.child === null) return;
    if (this.#world.lastErrorAt > sending.operation) sending.excuse ??= DISK_FAILED;
    if (!sending.process.isAlive && !this.#isOnDisk(sending.child)) {
      sending.excuse ??= 'killed in the one write that records the answer';
    }
  }

  /** A file or a directory has been synced. */
  onSynced(): void {
    for (const sending of this.sendings.slice(-4)) {
      const { access, isSealed } = sending;
      if (access === null || isSealed || !this.#isDurable(access)) continue;
      sending.isSealed = true;
      if (sending.excuse === DISK_FAILED) sending.excuse = null;
    }
  }

  // What ends a process.

  onKilled(process: VirtualProcess): void {
    for (const sending of this.sendings) {
      if (sending.process === process && sending.end === 'pending' && sending.child === null) {
        sending.excuse ??= 'killed before the answer came';
      }
      if (sending.process === process) this.#demandKept(sending, (child) => this.#isOnDisk(child));
    }
  }

  /** Called twice: before the power goes, for what must outlive it, and afterwards, for what has. */
  onPowerLoss(): void {
    for (const sending of this.sendings) {
      if (sending.end === 'pending' && sending.child === null)
        sending.excuse ??= 'killed before the answer came';
      if (!sending.isSealed) sending.excuse ??= 'the power went before the answer was synced';
      this.#demandKept(sending, (child) => this.#isDurable(child));
    }
  }

  #demandKept(sending: Sending, isKept: (text: string) => boolean): void {
    const { child, excuse } = sending;
    if (child === null || excuse !== null || !this.#world.server.isLive(child)) return;
    if (isKept(child)) return;
    this.blame(`a pair was lost: what ${sending.process.name} got is nowhere`);
  }

  #isOnDisk(text: string): boolean {
    const world = this.#world;
    return world.loginTexts((path) => world.disk.read(path)).some((content) => content.includes(text));
  }

  #isDurable(text: string): boolean {
    const world = this.#world;
    return world.loginTexts((path) => world.disk.readDurable(path)).some((content) => content.includes(text));
  }

  // What consumers want, and what they are told.

  onDemand(process: VirtualProcess): void {
    this.#wishesOf(process).demandAtMs = this.#world.timeline.monotonicMs;
  }

  onReport(process: VirtualProcess, fingerprint: string): void {
    this.#wishesOf(process).reported.add(fingerprint);
  }

  onToldInstead(process: VirtualProcess, credential: PublishedCredential, reported: string): void {
    if (credential.accessToken.fingerprint === reported) {
      this.blame('a consumer was given the very token that it had reported');
    }
    this.onTold(process, credential);
  }

  onTold(process: VirtualProcess, credential: PublishedCredential): void {
    const world = this.#world;
    const nowMs = world.timeline.nowMs;
    const token = credential.accessToken.reveal();
    const grant = world.server.accessOf(token);
    const toleranceMs = world.wasClockSet ? DATE_ERROR_MS : 0;
    if (grant !== undefined && grant.expiresAtMs + toleranceMs <= nowMs && process.canKnowTime) {
      this.blame('a consumer was given an expired token');
    }
    this.#judgeGeneration(process, credential.generation, token);
    const ours = this.sendings.findLast(({ access }) => access === token);
    if (ours?.isSealed === false) this.blame('a token was told before it was durable');
    if (ours === undefined) this.#judgeSource(process, token);
  }

  #judgeGeneration(process: VirtualProcess, generation: number, token: string): void {
    const numbering = this.#numberings.get(process.stateDirectory) ?? { tokens: new Map(), greatest: 0 };
    this.#numberings.set(process.stateDirectory, numbering);
    const known = numbering.tokens.get(generation);
    if (known === token || this.#world.hadDiskTrouble) return;
    if (known !== undefined) this.blame(`two credentials have the generation ${String(generation)}`);
    else if (generation < numbering.greatest) this.blame('the generation went back');
    numbering.tokens.set(generation, token);
    numbering.greatest = Math.max(generation, numbering.greatest);
  }

  /** What somebody else wrote may be told for as long as it is in the file, and until it can be known that it is not. */
  #judgeSource(process: VirtualProcess, token: string): void {
    if (token === this.#access) return;
    const seenAtMs = this.#accessSeen.get(token) ?? -Infinity;
    const { timeline, restlessUntilMs, beliefMs } = this.#world;
    const sinceMs = Math.max(seenAtMs, restlessUntilMs);
    if (timeline.nowMs > sinceMs + beliefMs + BELIEF_MS) {
      const tokenAge = `${String(timeline.nowMs - sinceMs)} ms`;
      this.blame(`${process.name} tells a token that has not been in the file for ${tokenAge}`);
    }
  }

  #authText(): string | null {
    return this.#world.disk.read(this.#world.realPath);
  }
}

/** All of a document but what a rotation changes. */
function masked(document: object): string {
  const { tokens, last_refresh, ...others } = document as {
    tokens?: { account_id?: string };
    last_refresh?: unknown;
  };
  return JSON.stringify({ ...others, account: tokens?.account_id, dated: last_refresh !== undefined });
}
