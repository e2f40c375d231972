import type { AccountConfig } from './config/accounts.js';
import type { Settings } from './config/settings.js';
import { Turns } from './core/turns.js';
import { describeError } from './errors.js';
import { keepAccount, type KeptAccount, type WhenKept } from './keep-account.js';
import type { Keeper } from './keeper/keeper.js';
import type { Surroundings } from './surroundings.js';

type AccountsSettings = Pick<Settings, 'socketPath' | 'stateDirectory' | 'accounts'>;

/** All accounts that a daemon keeps, as the configuration names them at this moment. */
export class Accounts {
  readonly #surroundings: Surroundings;
  /** In the order of the configuration. */
  #kept: readonly KeptAccount[] = [];
  #keepers: ReadonlyMap<string, Keeper> = new Map();
  /** Those that the configuration has no more, until they have let go. */
  readonly #leaving = new Map<KeptAccount, Promise<void>>();
  readonly #turns = new Turns();
  #isEnding = false;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** Replaced whole whenever an account comes or goes. */
  get keepers(): ReadonlyMap<string, Keeper> {
    return this.#keepers;
  }

  /** Whether a login would be lost if this process ended now. */
  get isAtStake(): boolean {
    return [...this.#kept, ...this.#leaving.keys()].some(({ keeper }) => keeper.isAtStake);
  }

  /** Whether that is so, or may be a moment later: a rotation is under way, whose token may leave before anybody is told. */
  get mayBeAtStake(): boolean {
    const isInFlight = ({ keeper }: KeptAccount): boolean => keeper.flight !== null;
    return this.isAtStake || [...this.#kept, ...this.#leaving.keys()].some(isInFlight);
  }

  /**
   * Reads every account for the first time. Nothing is sent before `activate`.
   *
   * @throws AuthdError `already_running` if there is one account only, and another daemon keeps it: among several,
   *   the others are not to suffer for it
   */
  async open(settings: AccountsSettings): Promise<void> {
    const whenKept = settings.accounts.length === 1 ? 'refuse' : 'stand by';
    const opened = await Promise.allSettled(
      settings.accounts.map((config) => this.#open(config, settings, whenKept)),
    );
    this.#replace(opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
    const failed = opened.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** From now on they rotate: to be called when nothing can go wrong any more with the start of the daemon. */
  activate(): void {
    for (const account of this.#kept) this.#activate(account);
  }

  /** To be called every few seconds. */
  tick(): void {
    for (const account of this.#kept) void account.tick();
  }

  /**
   * Takes over another configuration, one after the other: accounts that are new are kept from now on, those that are gone
   * finish what they are at and let go, the others go on with their new settings. `onChange` is called whenever `keepers`
   * is another one. Rejects with what goes wrong there or with the new settings; the next one is not the worse for it.
   */
  reload(settings: AccountsSettings, onChange: () => void): Promise<void> {
    return this.#turns.take(() => this.#take(settings, onChange));
  }

  /** Finishes the rotations in flight; what is there is served on. */
  async finish(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#kept.map((account) => account.finish()));
    await this.#turns.over();
    await Promise.all([...this.#kept.map((account) => account.finish()), ...this.#leaving.values()]);
  }

  /** Lets go of every file, for a successor. */
  async close(): Promise<void> {
    await Promise.all(this.#kept.map((account) => account.close()));
  }

  async #take(settings: AccountsSettings, onChange: () => void): Promise<void> {
    const wanted = new Map(settings.accounts.map((config) => [config.name, config]));
    const staying: KeptAccount[] = [];
    for (const account of this.#kept) {
      const config = wanted.get(account.keeper.account);
      if (config?.codexHome !== account.codexHome) continue;
      account.configure(config, settings.accounts);
      staying.push(account);
    }
    // Not before: who is leaving must not stay among those that are kept, whatever goes wrong with the others.
    for (const account of this.#kept) if (!staying.includes(account)) this.#leave(account);
    this.#replace(staying);
    onChange();
    const isNew = ({ name }: AccountConfig): boolean =>
      !staying.some(({ keeper }) => keeper.account === name);
    await Promise.all(settings.accounts.filter(isNew).map((config) => this.#join(config, settings)));
    const order = [...wanted.keys()];
    const rank = ({ keeper }: KeptAccount): number => order.indexOf(keeper.account);
    this.#replace([...this.#kept].sort((a, b) => rank(a) - rank(b)));
    onChange();
  }

  #leave(account: KeptAccount): void {
    const name = account.keeper.account;
    const letGo = async (): Promise<void> => {
      try {
        try {
          await account.retire();
        } finally {
          // Else it would meet ourselves when it is kept again.
          await account.close();
        }
        this.#surroundings.log.info({ account: name, auth_file: account.authFile }, 'kept no more');
      } catch (error) {
        this.#surroundings.log.error({ account: name, err: error }, 'an account cannot be let go of');
      } finally {
        this.#leaving.delete(account);
      }
    };
    this.#leaving.set(account, letGo());
  }

  /** An account may have got another home or another name: who had it before lets go first. */
  async #join(config: AccountConfig, settings: AccountsSettings): Promise<void> {
    const isBefore = ({ keeper, codexHome }: KeptAccount): boolean =>
      keeper.account === config.name || codexHome === config.codexHome;
    await Promise.all([...this.#leaving].flatMap(([account, left]) => (isBefore(account) ? [left] : [])));
    if (this.#hasToEnd()) return;
    try {
      const account = await this.#open(config, settings, 'stand by');
      this.#replace([...this.#kept, account]);
      if (!this.#hasToEnd()) this.#activate(account);
    } catch (error) {
      const fields = { account: config.name, reason: describeError(error) };
      this.#surroundings.log.error(fields, 'an account cannot be kept; the others are');
    }
  }

  #open(config: AccountConfig, settings: AccountsSettings, whenKept: WhenKept): Promise<KeptAccount> {
    return keepAccount(config, settings, this.#surroundings, whenKept);
  }

  #activate(account: KeptAccount): void {
    const { keeper, authFile } = account;
    const { name, detail } = keeper.state;
    const fields = { account: keeper.account, auth_file: authFile, state: name, detail };
    this.#surroundings.log.info(fields, 'keeping');
    account.activate();
  }

  /** Asked again after every wait. */
  #hasToEnd(): boolean {
    return this.#isEnding;
  }

  #replace(kept: readonly KeptAccount[]): void {
    this.#kept = kept;
    this.#keepers = new Map(kept.map(({ keeper }) => [keeper.account, keeper]));
  }
}
