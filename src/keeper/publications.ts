import { Turns } from '../core/turns.js';
import { AuthdError } from '../errors.js';
import type { Publication } from './publication.js';
import { PublicationList, type PublicationListOptions } from './publication-list.js';
import type { Publishable } from './publishable.js';
import type { PublicationFacts, Published, Unpublished } from './snapshot.js';

export interface PublicationsOptions extends PublicationListOptions {
  /** What the files should be at this moment. */
  readonly publishable: () => Publishable;
  /** Whether another daemon keeps the account: then the files are its, and so is what is remembered of them. */
  readonly isElsewhere: () => boolean;
}

/**
 * Where one account is published. One thing at a time is done to the files, and nobody who keeps or rotates the login
 * waits for it: a directory that hangs costs its consumers something, and nobody else.
 */
export class Publications {
  readonly #options: PublicationsOptions;
  readonly #list: PublicationList;
  readonly #turns = new Turns();
  #following: Promise<void> | null = null;
  #isDirty = false;
  #isClosed = false;
  /** Those that the configuration names. */
  #named: readonly string[] = [];
  /** Whether another daemon may have published since, or ended that. */
  #isOutdated = false;

  constructor(options: PublicationsOptions) {
    this.#options = options;
    this.#list = new PublicationList(options);
  }

  get facts(): readonly PublicationFacts[] {
    return this.#list.all.map(({ facts }) => facts);
  }

  /** Reads what is remembered. */
  open(): Promise<void> {
    this.#isOutdated = false;
    return this.#list.load();
  }

  /** The directories that the configuration names. What it does not name any more is removed. */
  async configure(directories: readonly string[]): Promise<void> {
    this.#named = directories;
    await this.#turns.take(async () => {
      if (this.#isKeptHere) await this.#reconcile();
    });
    await this.follow();
  }

  /** Makes the files what they should be now. Never rejects; several calls at once cost no more than two. */
  follow(): Promise<void> {
    this.#isOutdated ||= this.#options.isElsewhere();
    if (!this.#isKeptHere) return Promise.resolve();
    if (this.#list.all.length === 0 && !this.#isOutdated) return Promise.resolve();
    this.#isDirty = true;
    this.#following ??= this.#turns.take(() => this.#followUntilClean());
    return this.#following;
  }

  /**
   * Publishes in one directory more. Resolves when the file is there.
   *
   * @throws AuthdError `bad_request`, `storage`, `unavailable`; nothing is published there then, unless it was before
   */
  publish(directory: string): Promise<Published> {
    return this.#turns.take(async () => {
      await this.#own();
      const wanted = this.#options.publishable();
      const isNew = this.#list.find(directory) === undefined;
      if (isNew) await this.#list.makeRoom();
      const publication = this.#list.add(directory, 'request');
      publication.mayMake = true;
      try {
        if (wanted.kind === 'none') {
          throw new AuthdError('unsupported', `there is nothing to publish: ${wanted.detail}`, {
            hint: wanted.hint ?? undefined,
          });
        }
        await this.#watchCondition(publication, () => publication.apply(wanted));
        const { generation, accessToken, expiresAtMs } = wanted.credential;
        const { path } = publication.file;
        return { directory, path, generation, fingerprint: accessToken.fingerprint, expiresAtMs };
      } catch (error) {
        if (isNew) await this.#list.undo(publication);
        throw error;
      }
    });
  }

  /** @throws AuthdError `not_found`, `bad_request`, `storage`, `unavailable` */
  unpublish(directory: string): Promise<Unpublished> {
    return this.#turns.take(async () => {
      await this.#own();
      const publication = this.#list.find(directory);
      if (publication === undefined) throw this.#nothingIn(directory);
      if (this.#named.includes(directory)) {
        throw new AuthdError('bad_request', `the configuration says that ${directory} is published`, {
          hint: 'take its [[publish]] out of the configuration file, and send the daemon a SIGHUP',
        });
      }
      const removed = await this.#list.drop(publication);
      return { directory, path: publication.file.path, removed };
    });
  }

  /** Resolves when nothing is done any more. The files stay: a successor takes them over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turns.over();
  }

  /**
   * The account is kept no more: nobody would renew what is in the files, so they are removed. What was asked for on the
   * socket is remembered, for when the account is kept again.
   */
  async retire(): Promise<void> {
    this.#isClosed = true;
    await this.#turns.take(async () => {
      const isElsewhere = this.#options.isElsewhere();
      if (this.#isOutdated && !isElsewhere) await this.#reconcile();
      for (const publication of this.#list.all) {
        if (isElsewhere) publication.release();
        else if (publication.source === 'config') await this.#list.dropOrWarn(publication);
        else await this.#watchCondition(publication, () => publication.follow(RETIRED));
        publication.release();
      }
    });
  }

  /** Whether it is for this keeper to publish, and to remember what is published. */
  get #isKeptHere(): boolean {
    return !this.#isClosed && !this.#options.isElsewhere();
  }

  /** @throws AuthdError `unavailable` if it is not for this keeper to publish */
  async #own(): Promise<void> {
    if (this.#isClosed) {
      throw new AuthdError('unavailable', 'the account is not kept here any more, and not published', {
        hint: 'try again when a daemon keeps it: `codex-authd status` says which accounts are kept',
      });
    }
    if (this.#options.isElsewhere()) {
      throw new AuthdError('unavailable', 'another daemon keeps the account, and publishes it', {
        hint: 'ask that one, or stop it: `codex-authd status` says which it is',
      });
    }
    if (this.#isOutdated) await this.#reconcile();
  }

  /** What is remembered may be from another configuration, of this daemon or of one before it. */
  async #reconcile(): Promise<void> {
    if (this.#isOutdated) await this.open();
    const isNamed = ({ file }: Publication): boolean => this.#named.includes(file.directory);
    for (const dropped of this.#list.all.filter((each) => each.source === 'config' && !isNamed(each))) {
      await this.#list.dropOrWarn(dropped);
    }
    for (const directory of this.#named) this.#list.add(directory, 'config');
  }

  async #followUntilClean(): Promise<void> {
    try {
      if (this.#isKeptHere) await this.#own();
      while (this.#isDirty && this.#isKeptHere) {
        this.#isDirty = false;
        for (const publication of this.#list.all) {
          await this.#watchCondition(publication, () => publication.follow(this.#options.publishable()));
        }
      }
    } catch (error) {
      this.#options.log.error({ account: this.#options.account, err: error }, 'unexpected error');
    } finally {
      this.#following = null;
    }
  }

  /** Says so once when a publication is better or worse off than before. */
  async #watchCondition(publication: Publication, work: () => Promise<void>): Promise<void> {
    const { account, log } = this.#options;
    const before = publication.facts.condition;
    await work();
    const { directory, condition } = publication.facts;
    const { name, detail, hint, generation, fingerprint } = condition;
    if (name === before.name && detail === before.detail && fingerprint === before.fingerprint) return;
    if (name === 'published') log.info({ account, directory, generation, fingerprint }, 'published');
    else if (name === 'withdrawn') log.info({ account, directory, detail }, 'withdrawn');
    else log.warn({ account, directory, detail, hint }, 'cannot be published');
  }

  #nothingIn(directory: string): AuthdError {
    const known = this.#list.all.map(({ file }) => file.directory);
    return new AuthdError('not_found', `the account is not published in ${directory}`, {
      hint: known.length === 0 ? 'it is published nowhere' : `it is published in ${known.join(', ')}`,
    });
  }
}

const RETIRED = { kind: 'none', detail: 'the account is kept no more', hint: null } as const;
