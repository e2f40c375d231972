import type { PublicationRecord, PublicationSource } from '../core/publication.js';
import { accountInPublished } from '../core/published-file.js';
import { AuthdError } from '../errors.js';
import type { ClaimedDirectories, DirectoryClaim } from './claimed-directories.js';
import type { PublishedFilePort } from './ports.js';
import type { Publishable } from './publishable.js';
import type { PublicationCondition, PublicationFacts } from './snapshot.js';

/** What a publication needs of its account. */
export interface PublicationContext {
  readonly account: string;
  readonly directories: ClaimedDirectories;
  /** The auth.json of each account that the daemon keeps: nothing is published into the home of one. */
  readonly homes: () => readonly string[];
  /** Writes down, durably, what all publications of the account are. */
  readonly remember: () => Promise<void>;
}

const PENDING: PublicationCondition = {
  name: 'pending',
  detail: 'not looked at yet',
  hint: null,
  generation: null,
  fingerprint: null,
};

/** One directory in which an account is published. */
export class Publication {
  source: PublicationSource;
  /** Whether the directory is made if it is missing: at the beginning, and never again once somebody has removed it. */
  mayMake: boolean;
  readonly file: PublishedFilePort;
  readonly #context: PublicationContext;
  #accountIds: readonly string[];
  #condition = PENDING;
  readonly #claim: DirectoryClaim;
  #claimed: string | null = null;
  #attempted: string | null = null;
  #durable: string | null = null;

  constructor(
    file: PublishedFilePort,
    { source, accountIds }: PublicationRecord,
    context: PublicationContext,
  ) {
    this.file = file;
    this.source = source;
    this.mayMake = source === 'config';
    this.#accountIds = accountIds;
    this.#context = context;
    this.#claim = { account: context.account, directory: file.directory };
  }

  get record(): PublicationRecord {
    return { directory: this.file.directory, source: this.source, accountIds: this.#accountIds };
  }

  get facts(): PublicationFacts {
    const { directory, path } = this.file;
    return { directory, path, source: this.source, condition: this.#condition };
  }

  /** Makes the file what it should be. Never rejects: what is in the way is in the condition. */
  async follow(wanted: Publishable): Promise<void> {
    try {
      await this.apply(wanted);
    } catch (error) {
      if (!(error instanceof AuthdError)) throw error;
      const { message: detail, hint = null } = error;
      this.#condition = { ...this.#condition, name: 'failing', detail, hint };
    }
  }

  /** @throws AuthdError `bad_request` if a person has to put it right; `storage` */
  async apply(wanted: Publishable): Promise<void> {
    if (wanted.kind === 'none') {
      await this.#withdraw(wanted);
      return;
    }
    await this.#settle();
    await this.#put(wanted);
    const { generation, accessToken } = wanted.credential;
    const { fingerprint } = accessToken;
    const detail = 'the file has the current credential';
    this.#condition = { name: 'published', detail, hint: null, generation, fingerprint };
  }

  /** Removes the file, if it is ours. Resolves to whether there was one. @throws AuthdError `storage` */
  async remove(): Promise<boolean> {
    const outcome = await this.file.remove(this.#isOurs);
    this.#durable = null;
    return outcome === 'removed';
  }

  /** Removes what was put there in vain, and nothing that was there before. @throws AuthdError `storage` */
  async takeBack(): Promise<void> {
    if (this.#attempted !== null && (await this.file.reads(this.#attempted))) await this.remove();
  }

  /** Lets others publish there. */
  release(): void {
    if (this.#claimed !== null) this.#context.directories.release(this.#claimed, this.#claim);
    this.#claimed = null;
  }

  readonly #isOurs = (text: string): boolean => {
    const accountId = accountInPublished(text);
    return accountId !== null && this.#accountIds.includes(accountId);
  };

  async #withdraw({ detail, hint }: Extract<Publishable, { kind: 'none' }>): Promise<void> {
    await this.remove();
    this.#condition = { name: 'withdrawn', detail, hint, generation: null, fingerprint: null };
  }

  async #put({ text, accountId }: Extract<Publishable, { kind: 'file' }>): Promise<void> {
    // What another process put there again, or a daemon before this one, may not outlive a loss of power.
    if (this.#durable === text && (await this.file.reads(text))) return;
    if (!this.#accountIds.includes(accountId)) {
      const before = this.#accountIds;
      this.#accountIds = [...before, accountId];
      try {
        await this.#context.remember();
      } catch (error) {
        this.#accountIds = before;
        throw error;
      }
    }
    this.#attempted = text;
    await this.file.put(text, this.#isOurs);
    this.#durable = text;
    this.#accountIds = [accountId];
  }

  /** Looks whether the directory may be used, and claims it: links may lead elsewhere than they did. */
  async #settle(): Promise<void> {
    const { directories, homes } = this.#context;
    const { file } = this;
    if (this.mayMake) await file.prepare();
    const real = await file.locate();
    for (const home of homes()) {
      if (!(await file.isHomeOf(home))) continue;
      throw new AuthdError(
        'bad_request',
        `${file.directory} is the home of ${home}, which the daemon keeps`,
        {
          hint: 'publish into another directory: what is in that one has a refresh token',
        },
      );
    }
    if (this.#claimed !== real) this.release();
    const holder = directories.claim(real, this.#claim);
    if (holder !== this.#claim) {
      const { account, directory } = holder;
      throw new AuthdError(
        'bad_request',
        `the account ${account} is published there already: in ${directory}`,
        {
          hint: 'publish each account into a directory of its own',
        },
      );
    }
    this.#claimed = real;
    this.mayMake = false;
  }
}
