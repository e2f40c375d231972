import { Secret } from '../../../src/core/secret.js';
import { parseDocument } from './login-text.js';
import type { Sending } from './network.js';
import type { VirtualProcess } from './process.js';
import { ANOTHERS, LEASE_LOST, type Scene } from './scene.js';
import type { Wishes } from './wishes.js';

/** A renewal that is overdue, and a look at the directory. */
const NOTICING_MS = 500;
/** Room for the answer, in the journal and beside auth.json. */
const JOURNAL_BYTES = 1024 * 1024;
const STAGE_BYTES = 16 * 1024;
const LAST_SAFE_MOMENT_MS = 600_000;
/** How long after a report that made a daemon send no other report makes it send. */
const REPORTS_APART_MS = 59_000;
/** The same for two of its requests: the connection of the first one takes its time. */
const SENDINGS_ON_REPORTS_MS = 25_000;
/** A rotation for which the disk had no room is tried again within that time. */
const LONGEST_PAUSE_MS = 16 * 60_000;
/** A Date has whole seconds, at either end. */
const DATE_MS = 2000;
/** Instants are counted in whole milliseconds. */
const TIMER_MS = 1;
/** Longer than any consumer waits. */
const DEMAND_MS = 60_000;

/** Looks at every refresh token that leaves: whether it may, and whether it may now. */
export class SendingJudge {
  readonly #scene: Scene;
  readonly #wishes: Wishes;

  constructor(scene: Scene, wishes: Wishes) {
    this.#scene = scene;
    this.#wishes = wishes;
  }

  onSend(process: VirtualProcess, token: string): Sending {
    const world = this.#scene.world;
    const { fingerprint } = new Secret(token);
    if (this.#scene.fileToken !== token && !this.#hasJustLooked(process)) {
      this.#scene.blame('a refresh token was sent that is not in the file');
    }
    const inFlight = this.#scene.sendings.find(
      ({ end, process: other }) => end === 'pending' && other.isAlive && !other.isSuperseded,
    );
    // The one window of a lease: it was taken while its holder was stopped, who has not had the time to notice.
    const isUnaware = process.isSuperseded && world.timeline.nowMs < process.wokeAtMs + NOTICING_MS;
    if (inFlight !== undefined && !isUnaware) this.#scene.blame('two rotations at once');
    if (!isUnaware) {
      for (const sending of this.#unsettled(token)) this.#judgeRepetition(process, sending, fingerprint);
      this.#demandRoom(process, fingerprint);
      if (this.#scene.fileToken === token) this.#demandWord(process);
    }
    this.#judgeHaste(process, token, fingerprint);
    this.#judgePatience(process, token);
    const sending: Sending = {
      token,
      process,
      operation: world.operations,
      sentAtMs: world.timeline.nowMs,
      end: 'pending',
      body: null,
      child: null,
      access: null,
      isRejected: false,
      isUntouched: false,
      unwantedUntilMs: -Infinity,
      isSealed: false,
      isJournalled: false,
      isStored: false,
      isConcluded: false,
      excuse: isUnaware ? LEASE_LOST : this.#scene.isReplaced(token) ? ANOTHERS : null,
    };
    if (isUnaware) this.#excuseAll(token);
    this.#scene.sendings.push(sending);
    return sending;
  }

  #excuseAll(token: string): void {
    for (const sending of this.#scene.sendings) if (sending.token === token) sending.excuse ??= LEASE_LOST;
  }

  onTurnedBack(process: VirtualProcess): void {
    this.#wishes.of(process).isTurnedBack = true;
  }

  onConnected(process: VirtualProcess): void {
    this.#scene.world.forgetLooks(process);
  }

  /** Whether the file was changed between its last look at it, after it had connected, and now: nobody can help that. */
  #hasJustLooked(process: VirtualProcess): boolean {
    const { world } = this.#scene;
    const lookedAt = world.firstLookAt(process);
    return lookedAt !== null && world.authChangedAt >= lookedAt;
  }

  /** The sendings of this token that matter: a server that gives no new one does not mind many. */
  #unsettled(token: string): Sending[] {
    const earlier = this.#scene.sendings.filter((other) => other.token === token);
    return this.#scene.world.server.isRotating ? earlier : earlier.filter(({ isRejected }) => isRejected);
  }

  #judgeRepetition(process: VirtualProcess, earlier: Sending, fingerprint: string): void {
    const world = this.#scene.world;
    if (earlier.isUntouched) return;
    const isSame = earlier.process.stateDirectory === process.stateDirectory;
    if (earlier.isRejected) {
      // What was stopped half-way through writing it down may come over what whoever has the lease now has read.
      const isLate = earlier.process !== process && earlier.process.isSuperseded;
      const isKnown = !isLate && world.knownDead(process).includes(fingerprint);
      if (earlier.process === process || isKnown || (isSame && earlier.isConcluded))
        this.#scene.blame('a refresh token was sent again that is dead');
      return;
    }
    // Once it is in the journal, that tells that the token was spent, and then the record does, whatever others do; but for
    // a daemon with another record that has taken the journal up.
    const isTold = earlier.isJournalled && world.stateDirectories.length === 1;
    if (earlier.child !== null && (earlier.excuse === null || isTold)) {
      this.#scene.blame('a refresh token was sent again that had been spent');
      return;
    }
    // It is over, and somebody has put back what was spent: the record of who has ended it tells that, and may be another's.
    if (world.stateDirectories.length > 1 && !this.#canKnow(process, fingerprint)) return;
    // It is dead, as one that has no record of that will learn.
    if (this.#scene.sendings.some(({ token, isRejected }) => token === earlier.token && isRejected)) return;
    const document = parseDocument(world.disk.read(world.realPath));
    const grant = world.server.accessOf(document?.tokens?.access_token ?? '');
    const lastSafeMs = (grant?.expiresAtMs ?? 0) - LAST_SAFE_MOMENT_MS - this.#vaguenessMs(process);
    const isRaced = this.#scene.fileToken !== earlier.token;
    const isReported = this.#wishes.reportedAtMs(process, grant?.token) !== undefined;
    if (world.timeline.nowMs >= lastSafeMs || world.wasClockAdvanced || isRaced) return;
    if (!isReported)
      this.#scene.blame('a refresh token was sent again although nobody knew what had become of it');
    // One report is good for one sending.
    const last = this.#scene.sendings.findLast((other) => other.token === earlier.token);
    const isThird = last !== undefined && last !== earlier && last.process === process;
    // One that had begun before it stood still may be sent long after the report that it began with.
    const isLate = last !== undefined && last.sentAtMs - SENDINGS_ON_REPORTS_MS < world.restlessUntilMs;
    if (isThird && !isLate && world.timeline.nowMs - last.sentAtMs < SENDINGS_ON_REPORTS_MS)
      this.#scene.blame('one report made a daemon send a token again and again that may have been spent');
  }

  /**
   * How far ahead of time a daemon may be. An answer in whose time the machine slept tells little of a clock that is wrong, and
   * the latest time is taken that may be; the next one takes that back as far as its Date compels.
   */
  #vaguenessMs(process: VirtualProcess): number {
    const { wasClockSet, restlessUntilMs } = this.#scene.world;
    const { sendings } = this.#scene;
    const answered = sendings.filter((each) => each.process === process && each.end === 'answered');
    const last = answered.at(-1);
    if (!wasClockSet || last === undefined || answered.every((each) => each.sentAtMs >= restlessUntilMs))
      return 0;
    return Math.max(0, restlessUntilMs - last.sentAtMs) + DATE_MS;
  }

  /** Whether a journal beside its own, or its record, tells a daemon that a token was spent, or may have been. */
  #canKnow({ stateDirectory }: VirtualProcess, fingerprint: string): boolean {
    const { world } = this.#scene;
    const journals = world.stateDirectories.flatMap((each) => world.journalsOf(each));
    return (
      journals.filter((name) => name.endsWith(`.${fingerprint}.journal`)).length > 1 ||
      world.toldForGood(stateDirectory).includes(fingerprint)
    );
  }

  /**
   * Whether reports drive the token endpoint. With more than half its life to go, and after a success, no access token is
   * due; if nobody has asked for another, and none had to wait for the disk, only a report can have made the daemon send.
   */
  #judgeHaste(process: VirtualProcess, token: string, fingerprint: string): void {
    const { timeline, server, wasClockAdvanced, lastErrorAtMs, restlessUntilMs, disk, realPath } =
      this.#scene.world;
    const wishes = this.#wishes.of(process);
    const document = parseDocument(disk.read(realPath));
    const grant = server.accessOf(document?.tokens?.access_token ?? '');
    const isDue = (grant?.expiresAtMs ?? 0) - timeline.nowMs <= server.lifetimeMs / 2;
    // What was asked for before the daemon stood still is done when it goes on.
    const isLate = wishes.demandAtMs > -Infinity && timeline.nowMs - restlessUntilMs < DEMAND_MS;
    const isDemanded = isLate || timeline.monotonicMs - wishes.demandAtMs < DEMAND_MS;
    const { sendings } = this.#scene;
    // Of its own, or of the same token by the daemon before it.
    const ownLast = sendings.findLast((sending) => sending.process === process);
    const hasFailed = [ownLast, sendings.findLast((sending) => sending.token === token)].some(
      (last) => last?.access === null,
    );
    const hasWaited = timeline.nowMs - lastErrorAtMs < LONGEST_PAUSE_MS;
    const isRetry = hasFailed || hasWaited || wishes.isTurnedBack || this.#scene.isCutShort(fingerprint);
    wishes.isTurnedBack = false;
    const isTimeVague = this.#vaguenessMs(process) > DATE_MS;
    if (isDue || isDemanded || isRetry || wasClockAdvanced || isTimeVague) return;
    const reportedAtMs = this.#wishes.reportedAtMs(process, grant?.token);
    if (reportedAtMs === undefined) return;
    const sinceMs = timeline.monotonicMs - wishes.drivenAtMs;
    wishes.drivenAtMs = reportedAtMs;
    if (sinceMs < REPORTS_APART_MS) this.#scene.blame('reports of consumers drive the token endpoint');
  }

  /** Whether the server is asked sooner than it wants: only on somebody's order, or where a clock was set to a later time. */
  #judgePatience(process: VirtualProcess, token: string): void {
    const { timeline, wasClockAdvanced } = this.#scene.world;
    const last = this.#scene.sendings.findLast(
      (sending) => sending.process === process && sending.token === token,
    );
    const isOrdered = timeline.monotonicMs - this.#wishes.of(process).orderAtMs < DEMAND_MS;
    if (last === undefined || isOrdered || wasClockAdvanced) return;
    if (timeline.nowMs < last.unwantedUntilMs - TIMER_MS)
      this.#scene.blame('a refresh token was sent again before the server wanted it');
  }

  /** Whoever comes after a loss of power must find the journal, whatever state directory he has. */
  #demandWord({ stateDirectory }: VirtualProcess): void {
    const { disk, home, realPath } = this.#scene.world;
    for (const path of [`${home}/auth.json`, realPath]) {
      const word = disk.readDurable(`${path}.codex-authd.owner`);
      if (word?.includes(JSON.stringify(stateDirectory)) !== true)
        this.#scene.blame('a refresh token was sent before it was told durably where the journal is');
    }
  }

  /** Before a token is sent, its answer must have a place. */
  #demandRoom(process: VirtualProcess, fingerprint: string): void {
    const world = this.#scene.world;
    const journal = world.journalOf(process, fingerprint);
    if (journal === null || !journal.isSynced || journal.now.size < JOURNAL_BYTES) {
      this.#scene.blame('a refresh token was sent before the intent was durable');
    }
    const hasStage = world.allStages().some((inode) => inode.isSynced && inode.now.size >= STAGE_BYTES);
    if (!hasStage) this.#scene.blame('a refresh token was sent before there was room for a new auth.json');
  }
}
