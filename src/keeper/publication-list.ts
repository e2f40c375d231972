import type { PublicationRecord, PublicationSource } from '../core/publication.js';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import type { LogPort, PublicationPorts } from './ports.js';
import { Publication, type PublicationContext } from './publication.js';

export interface PublicationListOptions extends PublicationPorts {
  readonly account: string;
  /** The auth.json of each account that the daemon keeps. */
  readonly homes: () => readonly string[];
  readonly log: LogPort;
}

/** The directories in which one account is published, as they are remembered. Nothing here waits for its turn. */
export class PublicationList {
  readonly #options: PublicationListOptions;
  readonly #context: PublicationContext;
  #all: readonly Publication[] = [];

  constructor(options: PublicationListOptions) {
    this.#options = options;
    this.#context = { ...options, remember: () => this.#save() };
  }

  get all(): readonly Publication[] {
    return this.#all;
  }

  find(directory: string): Publication | undefined {
    return this.#all.find(({ file }) => file.directory === directory);
  }

  /** Reads what is remembered, in the place of what was known before. */
  async load(): Promise<void> {
    const { account, store, log } = this.#options;
    for (const publication of this.#all) publication.release();
    try {
      this.#all = (await store.load()).map((record) => this.#make(record));
    } catch (error) {
      log.error({ account, err: error, hint: PUBLISH_AGAIN }, 'what was published is not known any more');
    }
  }

  /** It is remembered as soon as there is something to remember of it: before the first file. */
  add(directory: string, source: PublicationSource): Publication {
    const known = this.find(directory);
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

  /**
   * Removes the file, and forgets the directory. Resolves to whether there was a file.
   *
   * @throws AuthdError `storage` if the file cannot be removed, or that cannot be remembered: it is published on then
   */
  async drop(publication: Publication): Promise<boolean> {
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

  async dropOrWarn(publication: Publication): Promise<void> {
    try {
      await this.drop(publication);
    } catch (error) {
      this.#warnOfRemains(publication, error);
    }
  }

  /** Nobody was told that it is published: what came of it is taken back as far as possible. */
  async undo(publication: Publication): Promise<void> {
    this.#all = this.#all.filter((each) => each !== publication);
    publication.release();
    try {
      await publication.takeBack();
      await this.#save();
    } catch (error) {
      this.#warnOfRemains(publication, error);
    }
  }

  /**
   * Who makes a home for each run of Codex need not think of ending each: the ones whose directory has gone are forgotten
   * when there are too many, and not before, because a directory may be away for a while.
   *
   * @throws AuthdError `bad_request` if there are too many that have not gone; `storage`
   */
  async makeRoom(): Promise<void> {
    if (this.#all.length < MOST) return;
    for (const publication of this.#all) {
      if (publication.source === 'config' || !(await isGone(publication))) continue;
      await this.drop(publication);
    }
    if (this.#all.length < MOST) return;
    throw new AuthdError('bad_request', `the account is published in ${String(MOST)} directories already`, {
      hint: 'end some of them: `codex-authd publish --stop DIR`; `codex-authd status` names them all',
    });
  }

  #warnOfRemains({ file: { directory } }: Publication, error: unknown): void {
    const { account, log } = this.#options;
    log.warn({ account, directory, reason: describeError(error) }, 'a published file could not be removed');
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
}

/** Each is looked at with every change, and remembered in one file. */
const MOST = 256;
const PUBLISH_AGAIN = 'publish again where consumers need it; what lies there is not kept fresh any more';

async function isGone({ file }: Publication): Promise<boolean> {
  try {
    await file.locate();
    return false;
  } catch (error) {
    return error instanceof AuthdError && systemErrorCode(error.cause) === 'ENOENT';
  }
}
