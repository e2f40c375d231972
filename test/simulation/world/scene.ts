import { readLogin } from '../../../src/core/login.js';
import { parseDocument } from './login-text.js';
import type { Sending } from './network.js';
import type { VirtualProcess } from './process.js';
import type { World } from './world.js';

export const ANOTHERS = 'somebody else wrote the file';
export const DISK_FAILED = 'the disk failed when the answer came';
export const LEASE_LOST = 'the lease was lost while its holder was stopped';

/** What has happened until now, as far as it matters for what may happen next. */
export class Scene {
  readonly world: World;
  readonly sendings: Sending[] = [];
  /** The refresh token of the last whole document in auth.json; null if there was none in it, or no file. */
  fileToken: string | null = null;
  /** Whether what is in the file was written by somebody else. */
  isAnothersWriting = false;
  /** Whether there is no file. */
  isAway = false;
  /** The access token in the file now. */
  access: string | null = null;
  /** Since when it is there. */
  accessSinceMs = -Infinity;
  /** Until when others were there. */
  readonly accessSeen = new Map<string, number>();
  /** The journals that were there when a daemon died. */
  readonly #cutShort = new Set<string>();
  #violation: string | null = null;

  constructor(world: World) {
    this.world = world;
  }

  /** What must not have happened; null if nothing did. */
  get violation(): string | null {
    return this.#violation;
  }

  blame(what: string): void {
    this.#violation ??= what;
    this.world.note('VIOLATION', what);
  }

  /** auth.json is not what it was. */
  onAuthChanged(process: VirtualProcess | null): void {
    const text = this.world.disk.read(this.world.realPath);
    const document = parseDocument(text);
    const token = document?.tokens?.refresh_token ?? null;
    const isOurs = process?.isDaemon === true;
    if (process !== null) this.isAnothersWriting = !isOurs;
    if (document !== null || text === null) {
      this.fileToken = token;
      this.isAway = text === null;
      for (const sending of this.sendings) this.#weigh(sending, isOurs);
    }
    const { nowMs } = this.world.timeline;
    if (this.access !== null) this.accessSeen.set(this.access, nowMs);
    const login = text === null ? null : readLogin(text);
    const before = this.access;
    this.access = login === null || login.kind === 'none' ? null : login.credential.accessToken.reveal();
    if (this.access !== before) this.accessSinceMs = nowMs;
  }

  /**
   * Whether somebody else has the loss of a pair to answer for. One that is in the file is his who takes it out, and ours
   * again when it is back for good. One that is on its way there waits for a file that is away, or in whose place another
   * account's is, and is given up for another login of the same account: the file is the truth (facts 3.3).
   */
  #weigh(sending: Sending, isOurs: boolean): void {
    const { fileToken } = this;
    if (sending.child !== null && sending.child === fileToken) {
      sending.isStored = true;
      if (sending.excuse === ANOTHERS && this.isSafe(sending)) sending.excuse = null;
    } else if (!isOurs && (sending.isStored || this.isReplaced(sending.token))) {
      // The disk's failing ends when it is stored after all; what somebody else did then does not.
      if (sending.excuse === null || sending.excuse === DISK_FAILED) sending.excuse = ANOTHERS;
    }
  }

  /** Whether the file holds a login that a pair on its way there is given up for. */
  isReplaced(token: string): boolean {
    const { server } = this.world;
    const inFile = server.grantOf(this.fileToken ?? '')?.family.account;
    return (
      this.isAnothers(token) && (inFile === undefined || inFile === server.grantOf(token)?.family.account)
    );
  }

  /** What is on the disk may outlive a loss of power now. */
  onSynced(): void {
    const { fileToken } = this;
    for (const sending of this.sendings) {
      const isBack = sending.excuse === ANOTHERS && sending.child !== null && sending.child === fileToken;
      if (isBack && this.isSafe(sending)) sending.excuse = null;
    }
  }

  /** A daemon dies: whoever finds its journals does not know what became of those tokens. */
  onDeath(): void {
    for (const name of this.world.stateDirectories.flatMap((each) => this.world.journalsOf(each)))
      this.#cutShort.add(name);
  }

  /** Whether a rotation of this refresh token was cut short, as far as a journal told. */
  isCutShort(fingerprint: string): boolean {
    return [...this.#cutShort].some((name) => name.endsWith(`.${fingerprint}.journal`));
  }

  /** Whether the file holds another login than this refresh token's. One that is away holds none. */
  isAnothers(token: string): boolean {
    return !this.isAway && this.fileToken !== token;
  }

  /** Whether a reader finds what came in auth.json, or the whole answer in a journal. */
  isOnDisk(sending: Sending): boolean {
    const { disk } = this.world;
    return this.world.loginTexts((path) => disk.read(path)).some((text) => holds(text, sending));
  }

  /** Whether a loss of power would leave it in a journal. */
  isJournalled({ body }: Sending): boolean {
    const { disk } = this.world;
    const texts = (): string[] => this.world.journalTexts((path) => disk.readDurable(path));
    return body !== null && texts().some((text) => text.includes(body));
  }

  /** Whether it would be there after every loss of power: what another wrote over it, unsynced, may or may not be. */
  isSafe(sending: Sending): boolean {
    const { disk } = this.world;
    return this.world.loginTexts((path) => disk.readCertain(path)).some((text) => holds(text, sending));
  }

  /** Whether a loss of power would leave it there. */
  isDurable(sending: Sending): boolean {
    const { disk } = this.world;
    return this.world.loginTexts((path) => disk.readDurable(path)).some((text) => holds(text, sending));
  }
}

function holds(text: string, { body, child, access }: Sending): boolean {
  if (body === null) return false;
  return text.includes(body) || (parseDocument(text) !== null && text.includes(child ?? access ?? body));
}
