/** What is remembered of an account across restarts. No token in it, only fingerprints. */
export interface AccountRecord {
  readonly schema: 1;
  /** The number of the credential last published. */
  readonly generation: number;
  /** The access token that has this number. */
  readonly fingerprint: string | null;
  /** When it was first published, in milliseconds since the epoch. */
  readonly obtainedAtMs: number;
  /** The access token that this program stored last. */
  readonly rotatedFingerprint: string | null;
  readonly lastRotationAtMs: number | null;
  /** A refresh token that the server will never take again. */
  readonly dead: DeadToken | null;
}

export interface DeadToken {
  /** Of the refresh token. */
  readonly fingerprint: string;
  /** One sentence: what the server said. */
  readonly detail: string;
}

export const EMPTY_RECORD: AccountRecord = {
  schema: 1,
  generation: 0,
  fingerprint: null,
  obtainedAtMs: 0,
  rotatedFingerprint: null,
  lastRotationAtMs: null,
  dead: null,
};
