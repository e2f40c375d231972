import type { PublishedCredential } from '../../../src/core/credential.js';
import type { Inode } from './disk.js';
import { SendingJudge } from './judge-sending.js';
import { StoringJudge } from './judge-storing.js';
import { TellingJudge } from './judge-telling.js';
import type { Sending, Witness } from './network.js';
import type { VirtualProcess } from './process.js';
import { Scene } from './scene.js';
import { Wishes } from './wishes.js';
import type { World } from './world.js';

/** Looks at everything that happens, and says what must not have happened: each part of it has a judge of its own. */
export class Inspector implements Witness {
  readonly #scene: Scene;
  readonly #wishes = new Wishes();
  readonly #sending: SendingJudge;
  readonly #storing: StoringJudge;
  readonly #telling: TellingJudge;

  constructor(world: World) {
    this.#scene = new Scene(world);
    this.#sending = new SendingJudge(this.#scene, this.#wishes);
    this.#storing = new StoringJudge(this.#scene);
    this.#telling = new TellingJudge(this.#scene);
  }

  get violation(): string | null {
    return this.#scene.violation;
  }

  get sendings(): readonly Sending[] {
    return this.#scene.sendings;
  }

  blame(what: string): void {
    this.#scene.blame(what);
  }

  // What others write.

  onAuthChanged(process: VirtualProcess | null): void {
    this.#scene.onAuthChanged(process);
  }

  onDirectoryMade(path: string): void {
    this.#storing.onDirectoryMade(path);
  }

  onCodexGaveUp(process: VirtualProcess): void {
    this.#storing.onCodexGaveUp(process);
  }

  // What daemons send and store.

  onStart(process: VirtualProcess): void {
    this.#telling.onStart(process);
  }

  onTurnedBack(process: VirtualProcess): void {
    this.#sending.onTurnedBack(process);
  }

  onConnected(process: VirtualProcess): void {
    this.#sending.onConnected(process);
  }

  onSend(process: VirtualProcess, token: string): Sending {
    return this.#sending.onSend(process, token);
  }

  onAnswer(sending: Sending): void {
    this.#storing.onAnswer(sending);
  }

  onCommit(process: VirtualProcess, inode: Inode, replaced: Inode | null, isRaced: boolean): void {
    this.#storing.onCommit(process, inode, replaced, isRaced);
  }

  onWrittenInPlace(process: VirtualProcess): void {
    this.#storing.onWrittenInPlace(process);
  }

  onJournalRemoved(process: VirtualProcess, directory: string, spent: string): void {
    this.#storing.onJournalRemoved(process, directory, spent);
  }

  onSynced(): void {
    this.#scene.onSynced();
    this.#storing.onSynced();
  }

  onKilled(process: VirtualProcess): void {
    this.#storing.onKilled(process);
  }

  onPowerLoss(): void {
    this.#storing.onPowerLoss();
  }

  // What consumers want, and what they are told.

  onDemand(process: VirtualProcess): void {
    this.#wishes.of(process).demandAtMs = this.#scene.world.timeline.monotonicMs;
  }

  onOrder(process: VirtualProcess): void {
    this.onDemand(process);
    this.#wishes.of(process).orderAtMs = this.#scene.world.timeline.monotonicMs;
  }

  onReport(process: VirtualProcess, fingerprint: string): void {
    const { reported } = this.#wishes.of(process);
    if (!reported.has(fingerprint)) reported.set(fingerprint, this.#scene.world.timeline.monotonicMs);
  }

  onTold(process: VirtualProcess, credential: PublishedCredential): void {
    this.#telling.onTold(process, credential);
  }

  onServed(process: VirtualProcess, credential: PublishedCredential, minValidMs: number): void {
    this.#telling.onServed(process, credential, minValidMs);
  }

  onRefused(process: VirtualProcess): void {
    this.#telling.onRefused(process);
  }

  onToldInstead(process: VirtualProcess, credential: PublishedCredential, reported: string): void {
    this.#telling.onToldInstead(process, credential, reported);
  }
}
