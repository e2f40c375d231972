import type { LogPort } from '../keeper/ports.js';
import type { CredentialKeeper, KeeperEvent, KeeperSnapshot } from '../keeper/snapshot.js';
import type { RunFailure } from '../os/run-with-input.js';
import { credentialNotice, stateNotice, type Notice } from './notice.js';
import type { NoticeSettings } from './settings.js';

export interface NoticesOptions {
  readonly settings: NoticeSettings;
  readonly now: () => number;
  readonly log: LogPort;
  /** Where it is remembered what people were told of an account. */
  readonly incidentsOf: (account: string, authFile: string) => IncidentPort;
  readonly showNotification: (snapshot: KeeperSnapshot) => Promise<RunFailure>;
  readonly runHook: (command: readonly [string, ...string[]], notice: Notice) => Promise<RunFailure>;
}

export interface IncidentPort {
  /** Null if there was none. */
  load(): Promise<string | null>;
  save(told: string): Promise<void>;
}

interface Work {
  readonly run: () => Promise<unknown>;
  /** What a person has to do is never dropped. */
  readonly isDroppable: boolean;
}

/** A hook that takes its whole time at each event must not fill the memory. */
const MOST_WAITING = 64;

/**
 * Tells people and programs what happens to the accounts: a notification on the desktop, once for each incident in
 * which a person has to log in, and a command at each event. One after the other, in the order of the events; nothing
 * waits for it.
 */
export class Notices {
  readonly #options: NoticesOptions;
  readonly #followed = new Map<CredentialKeeper, () => void>();
  /** The incident of each account that was told, or is about to be. */
  readonly #told = new Map<string, string>();
  #settings: NoticeSettings;
  #waiting: Work[] = [];
  #working: Promise<void> | null = null;

  constructor(options: NoticesOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  configure(settings: NoticeSettings): void {
    this.#settings = settings;
  }

  /** Follows these accounts from now on, and no others. What they are in already counts as well. */
  follow(keepers: Iterable<CredentialKeeper>): void {
    const wanted = new Set(keepers);
    for (const [keeper, leave] of this.#followed) {
      if (wanted.has(keeper)) continue;
      leave();
      this.#followed.delete(keeper);
    }
    for (const keeper of wanted) {
      if (this.#followed.has(keeper)) continue;
      this.#followed.set(
        keeper,
        keeper.subscribe((event) => {
          this.#hear(keeper.account, event);
        }),
      );
      this.#look(keeper.snapshot());
    }
  }

  /** Resolves when what is being told at this moment has been; what waits behind it is dropped. */
  async close(): Promise<void> {
    this.follow([]);
    this.#waiting = [];
    await this.#working;
  }

  #hear(account: string, event: KeeperEvent): void {
    const nowMs = this.#options.now();
    if (event.type === 'credential') {
      this.#hook(credentialNotice(account, event.credential, this.#settings.withToken, nowMs));
      return;
    }
    this.#hook(stateNotice('state', event.snapshot, nowMs));
    this.#look(event.snapshot);
  }

  /** A login that does not work any more stays that: what was told of it once need not be told again. */
  #look(snapshot: KeeperSnapshot): void {
    const { account, state, login, authFile } = snapshot;
    if (state.name !== 'login_required') return;
    const incident = `${state.reason} ${login?.fingerprint ?? ''}`;
    if (this.#told.get(account) === incident) return;
    this.#told.set(account, incident);
    const store = this.#options.incidentsOf(account, authFile);
    const run = async (): Promise<void> => {
      if ((await store.load()) === incident) return;
      const wasHeard = await this.#tell(snapshot);
      // Afterwards: told twice is better than never. And where nobody was there, the next one who looks is told.
      if (wasHeard) await store.save(incident);
      else if (this.#told.get(account) === incident) this.#told.delete(account);
    };
    this.#enqueue({ run, isDroppable: false });
  }

  /** Resolves to whether a desktop or the command has taken it. */
  async #tell(snapshot: KeeperSnapshot): Promise<boolean> {
    const { log, now, showNotification } = this.#options;
    let isShown = false;
    if (this.#settings.desktop) {
      const failure = await showNotification(snapshot);
      isShown = failure === null;
      if (failure !== null) log.info({ failure }, 'no notification could be shown on a desktop');
    }
    return (await this.#runHook(stateNotice('login_required', snapshot, now()))) || isShown;
  }

  #hook(notice: Notice): void {
    if (this.#settings.onEvent !== null)
      this.#enqueue({ run: () => this.#runHook(notice), isDroppable: true });
  }

  /** Resolves to whether there is a command, and it has taken the notice. */
  async #runHook(notice: Notice): Promise<boolean> {
    const { onEvent, withToken } = this.#settings;
    if (onEvent === null) return false;
    const failure = await this.#options.runHook(onEvent, notice);
    if (failure === null) return true;
    // What it says may hold what it was given.
    const [what = ''] = withToken ? failure.split(':') : [failure];
    this.#options.log.warn({ event: notice.event, failure: what }, 'the command of `on_event` failed');
    return false;
  }

  #enqueue(work: Work): void {
    const oldest = this.#waiting.findIndex(({ isDroppable }) => isDroppable);
    if (this.#waiting.length >= MOST_WAITING && oldest !== -1) {
      this.#waiting.splice(oldest, 1);
      this.#options.log.warn({}, 'the command of `on_event` is too slow: an event was dropped');
    }
    this.#waiting.push(work);
    this.#working ??= this.#work().finally(() => {
      this.#working = null;
    });
  }

  async #work(): Promise<void> {
    for (let work = this.#waiting.shift(); work !== undefined; work = this.#waiting.shift()) {
      try {
        await work.run();
      } catch (error) {
        this.#options.log.warn({ err: error }, 'an event could not be told');
      }
    }
  }
}
