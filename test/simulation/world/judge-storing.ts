import { Secret } from '../../../src/core/secret.js';
import type { Inode } from './disk.js';
import { parseDocument } from './login-text.js';
import type { Sending } from './network.js';
import type { VirtualProcess } from './process.js';
import { ANOTHERS, DISK_FAILED, LEASE_LOST, type Scene } from './scene.js';

const CONCLUSION_MS = 5_000;
/** A pair for a file that is away is dropped after 30 days, by a clock that may be wrong by one. */
const LONGEST_WAIT_MS = 28 * 24 * 3600 * 1000;

/** Looks at what is written, and whether a pair that has come is ever nowhere. */
export class StoringJudge {
  readonly #scene: Scene;
  /** Those of which a record has told for good, somebody's: what is begun later with the same token does not tell of them. */
  readonly #told = new WeakSet<Sending>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** A daemon has put a file in the place of auth.json. */
  onCommit(process: VirtualProcess, inode: Inode, replaced: Inode | null, isRaced: boolean): void {
    if (!inode.isSynced) this.#scene.blame('auth.json was replaced by a file that was not synced');
    if (inode.mode !== 0o600) this.#scene.blame(`auth.json has the mode ${inode.mode.toString(8)}`);
    const before = parseDocument(replaced === null ? null : replaced.now.bytes.toString());
    const after = parseDocument(inode.now.bytes.toString());
    if (after?.tokens === undefined) {
      this.#scene.blame('auth.json was replaced by something that is no login');
      return;
    }
    this.#demandSeal(after.tokens.access_token);
    if (isRaced) return;
    if (replaced === null)
      this.#scene.blame('a link was replaced by a file, or a file was made where none was');
    if (before?.tokens === undefined) {
      this.#scene.blame('a login was written where there was none');
      return;
    }
    if (masked(before) !== masked(after)) this.#scene.blame('a field that is not ours was changed');
    const parent = before.tokens.refresh_token;
    const child = after.tokens.refresh_token;
    const { server } = this.#scene.world;
    let origin: string | null = child;
    while (origin !== null && origin !== parent) origin = server.grantOf(origin)?.parent ?? null;
    if (origin === null) {
      this.#scene.blame(`what ${process.name} wrote does not follow from what was in the file`);
    }
    const account = server.accessOf(after.tokens.access_token)?.family.account;
    if (account !== before.tokens.account_id) this.#scene.blame('the accounts were mixed');
  }

  /** Whoever reads auth.json at any moment reads a whole document: a daemon writes beside it, and renames. */
  onWrittenInPlace(process: VirtualProcess): void {
    this.#scene.blame(`${process.name} wrote auth.json in place`);
  }

  /**
   * What tells that a token was spent, or may have been, goes only when the record of who removes it tells that for good: its
   * file may come back out of a backup.
   */
  onJournalRemoved(process: VirtualProcess, directory: string, spent: string): void {
    const { world } = this.#scene;
    if (!world.server.isRotating) return;
    const untold = this.#scene.sendings.filter(
      (sending) =>
        !sending.isUntouched &&
        !this.#told.has(sending) &&
        sending.process.stateDirectory === directory &&
        new Secret(sending.token).fingerprint === spent,
    );
    const isTold = world.toldForGood(process.stateDirectory).includes(spent);
    // Until the last of them goes, the others tell it.
    const isLeft = world.journalsOf(directory).some((name) => name.endsWith(`.${spent}.journal`));
    if (untold.length > 0 && !isTold && !isLeft)
      this.#scene.blame('a journal was removed before the record told for good what it tells');
    if (isTold || !isLeft) for (const sending of untold) this.#told.add(sending);
    if (!isLeft) this.#demandSafe(spent);
  }

  /** The new auth.json is not safe before its directory is synced: until then the answer must be, unless the disk has failed. */
  #demandSeal(accessToken: string): void {
    const ours = this.#scene.sendings.findLast(({ access }) => access === accessToken);
    if (ours === undefined || ours.isSealed || ours.excuse === LEASE_LOST) return;
    if (this.#scene.world.lastErrorAt < ours.operation)
      this.#scene.blame('auth.json was replaced before the answer was sealed in the journal');
  }

  /** What has come of a token is in auth.json for good before its journal goes, unless somebody else has touched the file since. */
  #demandSafe(spent: string): void {
    const { server, timeline } = this.#scene.world;
    if (this.#scene.isAnothersWriting) return;
    for (const sending of this.#scene.sendings) {
      const { token, child, excuse, sentAtMs } = sending;
      if (child === null || excuse !== null || !server.isLive(child)) continue;
      if (new Secret(token).fingerprint !== spent || timeline.nowMs - sentAtMs > LONGEST_WAIT_MS) continue;
      if (!this.#scene.isSafe(sending))
        this.#scene.blame('a journal was removed before what it holds was safe in auth.json');
    }
  }

  onDirectoryMade(path: string): void {
    if (path.endsWith('/auth.json.lock') || path.endsWith('/auth.lock')) {
      this.#scene.blame(`a directory was made at ${path}`);
    }
  }

  onCodexGaveUp(process: VirtualProcess): void {
    if (!this.#scene.world.wasStopped)
      this.#scene.blame(`${process.name} could not save: its lock was held for too long`);
  }

  onAnswer(sending: Sending): void {
    if (sending.isRejected) this.#concludeSoon(sending);
    if (sending.child === null) return;
    if (this.#scene.world.lastErrorAt > sending.operation) sending.excuse ??= DISK_FAILED;
    if (!sending.process.isAlive && !this.#scene.isOnDisk(sending)) {
      sending.excuse ??= 'killed in the one write that records the answer';
    }
  }

  /** Whoever is alive for so long after a rejection, had no trouble, and had the lock, has written it down. */
  #concludeSoon(sending: Sending): void {
    const { world } = this.#scene;
    if (sending.excuse === LEASE_LOST) return;
    world.timeline.after(CONCLUSION_MS, () => {
      const wasQuiet = world.lastErrorAt < sending.operation && world.restlessUntilMs < sending.sentAtMs;
      sending.isConcluded = sending.process.isAlive && wasQuiet;
    });
  }

  /** A file or a directory has been synced. */
  onSynced(): void {
    for (const sending of this.#scene.sendings.slice(-4)) {
      const { access, isSealed } = sending;
      sending.isJournalled ||= this.#scene.isJournalled(sending);
      if (access === null || isSealed || !this.#scene.isDurable(sending)) continue;
      sending.isSealed = true;
      if (sending.excuse === DISK_FAILED) sending.excuse = null;
    }
  }

  onKilled(process: VirtualProcess): void {
    this.#scene.onDeath();
    const isAnothersDraft = this.#isAnothersDraft;
    for (const sending of this.#scene.sendings) {
      if (sending.process === process && sending.end === 'pending' && sending.child === null) {
        sending.excuse ??= 'killed before the answer came';
      }
      if (isAnothersDraft && sending.isStored) sending.excuse ??= ANOTHERS;
      if (sending.process === process) this.#demandKept(sending, () => this.#scene.isOnDisk(sending));
    }
  }

  /** Called twice: before the power goes, for what must outlive it, and afterwards, for what has. */
  onPowerLoss(): void {
    this.#scene.onDeath();
    // Codex up to 0.166 writes over what was safe, and syncs nothing; nor does who moves another file into its place.
    const { disk, realPath } = this.#scene.world;
    const isAnothersDraft =
      this.#isAnothersDraft || (this.#scene.isAnothersWriting && disk.readCertain(realPath) === null);
    for (const sending of this.#scene.sendings) {
      if (sending.end === 'pending' && sending.child === null)
        sending.excuse ??= 'killed before the answer came';
      if (isAnothersDraft && sending.isStored) sending.excuse ??= ANOTHERS;
      if (!sending.isSealed) sending.excuse ??= 'the power went before the answer was synced';
      this.#demandKept(sending, () => this.#scene.isDurable(sending));
    }
  }

  /** Codex up to 0.166 empties the file, and then writes; and somebody may put what is no document into its place. */
  get #isAnothersDraft(): boolean {
    const { disk, realPath } = this.#scene.world;
    return this.#scene.isAnothersWriting && parseDocument(disk.read(realPath)) === null;
  }

  #demandKept(sending: Sending, isKept: () => boolean): void {
    const { child, excuse } = sending;
    if (child === null || excuse !== null || !this.#scene.world.server.isLive(child)) return;
    if (isKept() || this.#scene.world.timeline.nowMs - sending.sentAtMs > LONGEST_WAIT_MS) return;
    this.#scene.blame(`a pair was lost: what ${sending.process.name} got is nowhere`);
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
