import type { AccountRecord } from '../../../src/core/account-record.js';
import { Disk, Inode, splitPath } from './disk.js';
import { Inspector } from './inspector.js';
import { parseDocument } from './login-text.js';
import { Network } from './network.js';
import type { Host, Operation, VirtualProcess } from './process.js';
import { Random } from './random.js';
import { VirtualServer } from './server.js';
import { Timeline } from './timeline.js';

const START_MS = Date.parse('2026-11-22T12:00:00Z');

export interface WorldOptions {
  readonly salt: number;
  readonly lifetimeMs: number;
  readonly isRotating: boolean;
  /** Whether auth.json is a symbolic link to a file elsewhere. */
  readonly isLinked: boolean;
  /** Whether there is more than one machine, so that a lock of the kernel's keeps only some out. */
  readonly isRemote: boolean;
  readonly delayChance: number;
  /** How long a daemon may overlook a change of the file. */
  readonly beliefMs: number;
  readonly stateDirectories: readonly string[];
}

/** Something the disk refuses for a while. */
export interface DiskTrouble {
  readonly code: 'ENOSPC' | 'EROFS' | 'EIO' | 'EACCES';
  /** Which directory is concerned. */
  readonly place: 'home' | 'state' | 'both';
  operations: number;
}

/** What an error of this kind hits. */
const HIT: Readonly<Record<DiskTrouble['code'], ReadonlySet<Operation>>> = {
  ENOSPC: new Set<Operation>(['create', 'mkdir', 'extend']),
  EROFS: new Set<Operation>(['create', 'mkdir', 'extend', 'write', 'truncate', 'rename', 'unlink']),
  EACCES: new Set<Operation>([
    ...(['create', 'open', 'mkdir', 'readdir', 'stat', 'realpath', 'chown', 'rename', 'unlink'] as const),
  ]),
  EIO: new Set<Operation>([
    ...(['create', 'open', 'read', 'extend', 'write', 'truncate'] as const),
    ...(['sync', 'sync directory', 'rename', 'unlink', 'readdir'] as const),
    ...(['stat', 'realpath', 'lock', 'chown', 'close'] as const),
  ]),
};

/** Those who take a lock that we take as well. */
const LOCKING: ReadonlySet<string> = new Set(['codex 0.166', 'codex 0.169']);

/** One machine with one auth.json, a token endpoint somewhere, and everyone who has to do with them. */
export class World implements Host {
  readonly timeline = new Timeline(START_MS);
  readonly disk = new Disk();
  readonly random: Random;
  readonly server: VirtualServer;
  readonly inspector: Inspector;
  readonly network: Network;
  readonly home = '/home/somebody/.codex';
  readonly stateDirectories: readonly string[];
  readonly delayChance: number;
  readonly beliefMs: number;
  readonly processes = new Set<VirtualProcess>();
  /** What is to be called when auth.json or its directory has changed. */
  readonly watchers = new Set<() => void>();
  wallOffsetMs = 0;
  wasClockSet = false;
  /** Whether it was ever set to a later time: only then can tokens seem to end, and pauses to be over, before they are. */
  wasClockAdvanced = false;
  /** Until then the daemons could not know what happened: they slept, were stopped or not yet there. */
  restlessUntilMs = START_MS;
  wasStopped = false;
  /** How often the machine has slept or its clock was set, and which of it was the last. */
  clockMoves = 0;
  #lastMove: 'sleep' | 'setting' | null = null;
  /** Whether nothing is wrong any more, and has not been for long. */
  isWell = false;
  operations = 0;
  /** The number of the last operation that changed auth.json. */
  authChangedAt = 0;
  trouble: DiskTrouble | null = null;
  hadDiskTrouble = false;
  /** The number of the last operation that failed. */
  lastErrorAt = 0;
  lastErrorAtMs = 0;
  /** What everyone waits for to happen when so many operations have been done. */
  onNextOperation: () => void = () => undefined;
  trace: string[] | null = null;
  readonly #isRemote: boolean;
  readonly #readAt = new WeakMap<VirtualProcess, number>();
  /** Each process's comparison before its commit; null from when it has the lock on. */
  readonly #comparedAt = new Map<VirtualProcess, number | null>();
  readonly #firstReadAt = new WeakMap<VirtualProcess, number>();
  #unlockedChangeAt = 0;
  #notes = 0;

  constructor(options: WorldOptions) {
    this.random = new Random(options.salt);
    this.delayChance = options.delayChance;
    this.beliefMs = options.beliefMs;
    this.#isRemote = options.isRemote;
    this.stateDirectories = options.stateDirectories;
    this.disk.makeDirectory(this.home);
    this.disk.makeDirectory('/data');
    if (options.isLinked)
      this.disk.directories.get(this.home)?.set('auth.json', { target: '/data/auth.json' });
    for (const path of this.stateDirectories) this.disk.makeDirectory(path);
    for (const directory of this.disk.directories.values()) directory.sync();
    this.server = new VirtualServer(options.lifetimeMs, options.isRotating, () => this.timeline.nowMs);
    this.inspector = new Inspector(this);
    this.network = new Network(this, this.server, this.inspector);
  }

  /** Where auth.json really is, or would be. */
  get realPath(): string {
    return this.disk.follow(`${this.home}/auth.json`);
  }

  join(process: VirtualProcess): void {
    this.processes.add(process);
    this.inspector.onStart(process);
  }

  nextNote(): number {
    return (this.#notes += 1);
  }

  note(...what: readonly unknown[]): void {
    const atMs = this.timeline.nowMs - START_MS;
    this.trace?.push(
      [`${(atMs / 1000).toFixed(3)} s`, `#${String(this.operations)}`, ...what].map(String).join('  '),
    );
  }

  // What processes do.

  onOperation(process: VirtualProcess, operation: Operation, path: string): void {
    this.operations += 1;
    if (process.isDaemon) this.onNextOperation();
    if (this.trace !== null)
      this.note(process.name, process.isAlive ? '' : '(dead)', operation, shorten(path));
    if (operation === 'open' && path.endsWith('/auth.json')) {
      if (this.#comparedAt.get(process) === null) this.#comparedAt.set(process, this.operations);
      this.#readAt.set(process, this.operations);
      if (!this.#firstReadAt.has(process)) this.#firstReadAt.set(process, this.operations);
    }
    // The first look under Codex's lock is the comparison's, or one before it.
    if (operation === 'lock' && path.endsWith('/auth.json.lock')) this.#comparedAt.set(process, null);
    if (operation === 'mkdir') this.inspector.onDirectoryMade(path);
  }

  errorFor(process: VirtualProcess, operation: Operation, path: string): string | null {
    const { trouble } = this;
    if (trouble === null || !process.isDaemon || !HIT[trouble.code].has(operation)) return null;
    const isState = this.stateDirectories.some((directory) => path.startsWith(directory));
    if (trouble.place !== 'both' && isState !== (trouble.place === 'state')) return null;
    trouble.operations -= 1;
    if (trouble.operations <= 0) this.trouble = null;
    this.lastErrorAt = this.operations;
    this.lastErrorAtMs = this.timeline.nowMs;
    this.note('->', trouble.code);
    return trouble.code;
  }

  onSynced(): void {
    this.inspector.onSynced();
  }

  onRenamed(process: VirtualProcess, from: Inode, to: string, replaced: Inode | null): void {
    if (!LOGIN_NAME.test(splitPath(to).name) || !process.isDaemon) return;
    const comparedAt = this.#comparedAt.get(process) ?? this.#readAt.get(process) ?? 0;
    const isRaced = this.#unlockedChangeAt > comparedAt;
    this.inspector.onCommit(process, from, replaced, isRaced);
  }

  onAltered(process: VirtualProcess, inode: Inode): void {
    if (process.isDaemon && this.#logins().includes(inode)) this.inspector.onWrittenInPlace(process);
  }

  onWritten(process: VirtualProcess | null, path: string): void {
    if (path !== this.realPath && path !== `${this.home}/auth.json`) return;
    this.authChangedAt = this.operations;
    // Who takes no lock can always come between a comparison and a rename.
    if (process !== null && (this.#isRemote || (!process.isDaemon && !LOCKING.has(process.name))))
      this.#unlockedChangeAt = this.operations;
    this.inspector.onAuthChanged(process);
    for (const notice of this.watchers) notice();
  }

  onUnlinked(process: VirtualProcess, path: string): void {
    const spent = JOURNAL_NAME.exec(splitPath(path).name)?.groups?.['spent'];
    if (spent !== undefined) this.inspector.onJournalRemoved(process, splitPath(path).directory, spent);
  }

  /** From now on its next look at auth.json is its first. */
  forgetLooks(process: VirtualProcess): void {
    this.#firstReadAt.delete(process);
  }

  /** The number of the operation that opened auth.json first since then; null if none has. */
  firstLookAt(process: VirtualProcess): number | null {
    return this.#firstReadAt.get(process) ?? null;
  }

  /** The server ends what is in the file now. */
  revoke(what: 'login' | 'access token'): void {
    const tokens = parseDocument(this.disk.read(this.realPath))?.tokens;
    const grant = this.server.accessOf(tokens?.access_token ?? '');
    if (grant === undefined) return;
    if (what === 'login') grant.family.ended ??= 'revocation';
    else grant.isRevoked = true;
  }

  /** Somebody sets the clock of the machine. */
  setClock(aheadMs: number): void {
    this.wasClockSet = true;
    this.wasClockAdvanced ||= aheadMs > this.wallOffsetMs;
    this.wallOffsetMs = aheadMs;
  }

  /** Until this moment nobody could know what happened. */
  disturbUntil(atMs: number): void {
    this.restlessUntilMs = Math.max(this.restlessUntilMs, atMs);
  }

  /** The machine sleeps, or its clock is set: who has not looked between the one and the other cannot tell them apart. */
  moveClocks(move: 'sleep' | 'setting', processes: readonly VirtualProcess[]): void {
    const isAnother = this.#lastMove !== null && this.#lastMove !== move;
    for (const process of processes)
      if (isAnother && process.movesSeen < this.clockMoves) process.canKnowTime = false;
    this.clockMoves += 1;
    this.#lastMove = move;
  }

  // What the inspector needs to see.

  /**
   * Where a daemon has written down the rotation that spends a refresh token: what was begun before it stays. Null if its
   * name may not outlive a loss of power.
   */
  journalOf({ stateDirectory }: VirtualProcess, fingerprint: string): Inode | null {
    const directory = this.disk.directories.get(stateDirectory);
    const entries = [...(directory?.now ?? [])];
    const [name, node] = entries.findLast(([each]) => each.endsWith(`.${fingerprint}.journal`)) ?? [];
    if (name === undefined || !(node instanceof Inode)) return null;
    return directory?.durable.get(name) === node ? node : null;
  }

  /** The names of the journals in a state directory. */
  journalsOf(stateDirectory: string): string[] {
    const entries = [...(this.disk.directories.get(stateDirectory)?.now.keys() ?? [])];
    return entries.filter((name) => name.endsWith('.journal'));
  }

  /** The temporary files of auth.json: of the file that it leads to, for nobody looks for those of another one. */
  stages(): Inode[] {
    const { directory, name } = splitPath(this.realPath);
    return this.#filesIn(directory, (each) => each.startsWith(`.${name}.codex-authd-`));
  }

  /** The same, also where auth.json was before. */
  allStages(): Inode[] {
    return [this.home, '/data'].flatMap((path) => this.#filesIn(path, (name) => STAGE_NAME.test(name)));
  }

  /** auth.json by whatever name it has now, and other accounts': a link may lead to them in a moment. */
  #logins(): Inode[] {
    return [this.home, '/data'].flatMap((path) => this.#filesIn(path, (name) => LOGIN_NAME.test(name)));
  }

  #filesIn(path: string, isMeant: (name: string) => boolean): Inode[] {
    return [...(this.disk.directories.get(path)?.now ?? [])].flatMap(([name, node]) =>
      isMeant(name) && node instanceof Inode ? [node] : [],
    );
  }

  /** The texts of all files that may hold a login, and of all journals, as `read` sees them. */
  loginTexts(read: (path: string) => string | null): string[] {
    return [...this.#texts(this.#loginPaths(), read), ...this.journalTexts(read)];
  }

  /** The texts of all journals. */
  journalTexts(read: (path: string) => string | null): string[] {
    const paths = this.stateDirectories.flatMap((directory) => {
      const { now, durable } = this.disk.directories.get(directory) ?? { now: new Map(), durable: new Map() };
      const names = new Set<string>([...now.keys(), ...durable.keys()]);
      return [...names].filter((name) => name.endsWith('.journal')).map((name) => `${directory}/${name}`);
    });
    return this.#texts(paths, read);
  }

  #texts(paths: readonly string[], read: (path: string) => string | null): string[] {
    return paths.map(read).filter((text) => text !== null);
  }

  /** auth.json, where it was or will be again, and where other accounts' are kept. */
  #loginPaths(): string[] {
    return [this.home, '/data'].flatMap((path) => {
      const { now, durable } = this.disk.directories.get(path) ?? { now: new Map(), durable: new Map() };
      const names = new Set<string>([...now.keys(), ...durable.keys()]);
      return [...names].filter((name) => LOGIN_NAME.test(name)).map((name) => `${path}/${name}`);
    });
  }

  /** The fingerprints of the tokens that a process can know from its records to be dead. */
  knownDead({ stateDirectory }: VirtualProcess): string[] {
    return this.#recordsIn(stateDirectory).flatMap(({ dead }) => dead.map(({ fingerprint }) => fingerprint));
  }

  /** The fingerprints of the tokens of which a record tells after every loss of power that they are spent, or may be. */
  toldForGood(stateDirectory: string): string[] {
    return this.#recordsIn(stateDirectory, (path) => this.disk.readDurable(path)).flatMap(
      ({ dead, doubted }) => [...dead.map(({ fingerprint }) => fingerprint), ...doubted],
    );
  }

  /** The highest number that is written down in a state directory. */
  generationIn(stateDirectory: string): number {
    return Math.max(0, ...this.#recordsIn(stateDirectory).map(({ generation }) => generation));
  }

  #recordsIn(
    stateDirectory: string,
    read = (path: string): string | null => this.disk.read(path),
  ): AccountRecord[] {
    const names = [...(this.disk.directories.get(stateDirectory)?.now.keys() ?? [])];
    const records = names.filter((name) => RECORD_NAME.test(name));
    const texts = records.map((name) => read(`${stateDirectory}/${name}`)).filter((text) => text !== null);
    return texts.map((text) => JSON.parse(text) as AccountRecord);
  }
}

const STAGE_NAME = /^\.(?:auth|other)\.json\.codex-authd-/;
const JOURNAL_NAME = /\.(?<spent>[0-9a-f]{12})\.journal$/;
const RECORD_NAME = /^default-[0-9a-f]{12}\.json$/;
const LOGIN_NAME = /^(?:auth|other)\.json(?:\.off|\.somebody|\.somebody-else)?$/;

function shorten(path: string): string {
  return path
    .replace(/codex-authd-[0-9a-f]{12}/, 'codex-authd-*')
    .replace(/\.[0-9a-f]{8}(\.[0-9a-f]{12}\.journal)$/, '.*$1')
    .replace(/^\/home\/somebody\/\.codex\//, '~/');
}
