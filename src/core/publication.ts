/** Who asked for a publication: somebody on the socket, or the configuration file. */
export type PublicationSource = 'request' | 'config';

/** What is remembered of a publication across restarts. No token in it, nor a fingerprint of one. */
export interface PublicationRecord {
  /** Absolute. */
  readonly directory: string;
  readonly source: PublicationSource;
  /**
   * The accounts whose tokens the file there may hold, written down before the file is: what holds those of another
   * one was not published from here.
   */
  readonly accountIds: readonly string[];
}
