import type { PublicationRecord, PublicationSource } from '../core/publication.js';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import type { LogPort, PublicationPorts } from './ports.js';
import { Publication, type PublicationContext } from './publication.js';
import type { Publishable } from './publishable.js';
import type { PublicationFacts, Published, Unpublished } from './snapshot.js';

export interface PublicationsOptions extends PublicationPorts {
  readonly account: string;
  /** The auth.json of each account that the daemon keeps. */
  readonly homes: () => readonly string[];
  readonly log: LogPort;
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
  readonly #context: PublicationContext;
  #all: readonly Publication[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #following: Promise<void> | null = null;
  #isDirty = false;
  #isClosed = false;
  /** Those that the configuration names. */
  #named: readonly string[] = [];
  /** Whether another daemon may have published since, or ended that. */
  #isOutdated = false;

  constructor(options: PublicationsOptions) {
    this.#options = options;
    this.#context = { ...options, remember: () => this.#save() };
  }

  get facts(): readonly PublicationFacts[] {
    return this.#all.map(({ facts }) => facts);
  }

  /** Reads what is remembered. */
  async open(): Promise<void> {
    const { account, store, log } = this.#options;
    this.#isOutdated = false;
    try {
      this.#all = (await store.load()).map((record) => this.#make(record));
    } catch (error) {
      log.error({ account, err: error, hint: PUBLISH_AGAIN }, 'what was published is not known any more');
    }
  }

  /** The directories that the configuration names. What it does not name any more is removed. */
  async configure(directories: readonly string[]): Promise<void> {
    this.#named = directories;
    await this.#inTurn(async () => {
      if (this.#isKeptHere) await this.#reconcile();
    });
    await this.follow();
  }

  /** Makes the files what they should be now. Never rejects; several calls at once cost no more than two. */
  follow(): Promise<void> {
    this.#isOutdated ||= this.#options.isElsewhere();
    if (!this.#isKeptHere) return Promise.resolve();
    if (this.#all.length === 0 && !this.#isOutdated) return Promise.resolve();
    this.#isDirty = true;
    this.#following ??= this.#inTurn(() => this.#followUntilClean());
    return this.#following;
  }

  /**
   * Publishes in one directory more. Resolves when the file is there.
   *
   * @throws AuthdError `bad_request`, `storage`, `unavailable`; nothing is published there then, unless it was before
   */
  publish(directory: string): Promise<Published> {
    return this.#inTurn(async () => {
      await this.#own();
      const wanted = this.#options.publishable();
      const isNew = this.#find(directory) === undefined;
      if (isNew) await this.#makeRoom();
      const publication = this.#add(directory, 'request');
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
        if (isNew) await this.#undo(publication);
        throw error;
      }
    });
  }

  /** @throws AuthdError `not_found`, `bad_request`, `storage`, `unavailable` */
  unpublish(directory: string): Promise<Unpublished> {
    return this.#inTurn(async () => {
      await this.#own();
      const publication = this.#find(directory);
      if (publication === undefined) throw this.#nothingIn(directory);
      if (this.#named.includes(directory)) {
        throw new AuthdError('bad_request', `the configuration says that ${directory} is published`, {
          hint: 'take its [[publish]] out of the configuration file, and send the daemon a SIGHUP',
        });
      }
      const removed = await this.#drop(publication);
      return { directory, path: publication.file.path, removed };
    });
  }

  /** Resolves when nothing is done any more. The files stay: a successor takes them over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turn;
  }

  /**
   * The account is kept no more: nobody would renew what is in the files, so they are removed. What was asked for on the
   * socket is remembered, for when the account is kept again.
   */
  async retire(): Promise<void> {
    this.#isClosed = true;
    await this.#inTurn(async () => {
      const isElsewhere = this.#options.isElsewhere();
      if (this.#isOutdated && !isElsewhere) await this.#reconcile();
      for (const publication of this.#all) {
        if (isElsewhere) publication.release();
        else if (publication.source === 'config') await this.#dropOrWarn(publication);
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
    if (this.#isOutdated) {
      for (const publication of this.#all) publication.release();
      await this.open();
    }
    const isNamed = ({ file }: Publication): boolean => this.#named.includes(file.directory);
    for (const dropped of this.#all.filter((each) => each.source === 'config' && !isNamed(each))) {
      await this.#dropOrWarn(dropped);
    }
    for (const directory of this.#named) this.#add(directory, 'config');
  }

  async #followUntilClean(): Promise<void> {
    try {
      if (this.#isKeptHere) await this.#own();
      while (this.#isDirty && this.#isKeptHere) {
        this.#isDirty = false;
        for (const publication of this.#all) {
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

  /** @throws AuthdError `storage` if the file cannot be removed, or that cannot be remembered: it is published on then */
  async #drop(publication: Publication): Promise<boolean> {
    const removed = await publication.remove();
    const before = this.#all;
    this.#all = before.filter((each) => each !== publication);
    try {
      await this.#save();
    } catch (error) {
      this.#all = before;
      throw error;
    }
    publication.release();
    const { account, log } = this.#options;
    log.info({ account, directory: publication.file.directory, removed }, 'not published any more');
    return removed;
  }

  async #dropOrWarn(publication: Publication): Promise<void> {
    try {
      await this.#drop(publication);
    } catch (error) {
      this.#warnOfRemains(publication, error);
    }
  }

  /** Nobody was told that it is published: what came of it is taken back as far as possible. */
  async #undo(publication: Publication): Promise<void> {
    this.#all = this.#all.filter((each) => each !== publication);
    publication.release();
    try {
      await publication.takeBack();
      await this.#save();
    } catch (error) {
      this.#warnOfRemains(publication, error);
    }
  }

  #warnOfRemains({ file: { directory } }: Publication, error: unknown): void {
    const { account, log } = this.#options;
    log.warn({ account, directory, reason: describeError(error) }, 'a published file could not be removed');
  }

  /**
   * Who makes a home for each run of Codex need not think of ending each: the ones whose directory has gone are forgotten
   * when there are too many, and not before, because a directory may be away for a while.
   */
  async #makeRoom(): Promise<void> {
    if (this.#all.length < MOST) return;
    for (const publication of this.#all) {
      if (publication.source === 'config' || !(await isGone(publication))) continue;
      await this.#drop(publication);
    }
    if (this.#all.length < MOST) return;
    throw new AuthdError('bad_request', `the account is published in ${String(MOST)} directories already`, {
      hint: 'end some of them: `codex-authd publish --stop DIR`; `codex-authd status` names them all',
    });
  }

  #find(directory: string): Publication | undefined {
    return this.#all.find(({ file }) => file.directory === directory);
  }

  #add(directory: string, source: PublicationSource): Publication {
    const known = this.#find(directory);
    if (known === undefined) {
      const publication = this.#make({ directory, source, accountIds: [] });
      this.#all = [...this.#all, publication];
      return publication;
    }
    if (source === 'config' && known.source === 'request') {
      known.source = source;
      known.mayMake = true;
    }
    return known;
  }

  #make(record: PublicationRecord): Publication {
    return new Publication(this.#options.fileIn(record.directory), record, this.#context);
  }

  async #save(): Promise<void> {
    try {
      await this.#options.store.save(this.#all.map(({ record }) => record));
    } catch (error) {
      throw new AuthdError('storage', `what is published cannot be remembered: ${describeError(error)}`, {
        hint: 'free space or make the state directory writable',
        cause: error,
      });
    }
  }

  #nothingIn(directory: string): AuthdError {
    const known = this.#all.map(({ file }) => file.directory);
    return new AuthdError('not_found', `the account is not published in ${directory}`, {
      hint: known.length === 0 ? 'it is published nowhere' : `it is published in ${known.join(', ')}`,
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** Each is looked at with every change, and remembered in one file. */
const MOST = 256;

async function isGone({ file }: Publication): Promise<boolean> {
  try {
    await file.locate();
    return false;
  } catch (error) {
    return error instanceof AuthdError && systemErrorCode(error.cause) === 'ENOENT';
  }
}

const RETIRED = { kind: 'none', detail: 'the account is kept no more', hint: null } as const;
const PUBLISH_AGAIN = 'publish again where consumers need it; what lies there is not kept fresh any more';
