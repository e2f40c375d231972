import type { ReasonOf } from './reasons.js';

/** What is remembered of an account across restarts. No token in it, only fingerprints. */
export interface AccountRecord {
  readonly schema: 1;
  /** The number of the credential last published. */
  readonly generation: number;
  /** Tells the credential that has this number from every other one: see `digestOf`. */
  readonly digest: string | null;
  /** When it was first published, in milliseconds since the epoch. */
  readonly obtainedAtMs: number;
  /** The access token that this program stored last. */
  readonly rotatedFingerprint: string | null;
  readonly lastRotationAtMs: number | null;
  /** Refresh tokens that must never be sent again, the newest last. */
  readonly dead: readonly DeadToken[];
  /**
   * Fingerprints of refresh tokens of which nobody knows whether they were spent, and which auth.json holds no more; the
   * newest last. Of one that it holds, the journal tells.
   */
  readonly doubted: readonly string[];
}

export interface DeadToken {
  /** Of the refresh token. */
  readonly fingerprint: string;
  readonly reason: ReasonOf<'login_required'>;
  /** One sentence: what became of it. */
  readonly detail: string;
  /**
   * Where a rejected one was rejected: see `identifyEndpoint`. Elsewhere it may be alive, for a wrong endpoint or client
   * id is answered 401 as well. Absent if it is dead everywhere: it was spent, or the record is older than this.
   */
  readonly endpoint?: string;
}

export const EMPTY_RECORD: AccountRecord = {
  schema: 1,
  generation: 0,
  digest: null,
  obtainedAtMs: 0,
  rotatedFingerprint: null,
  lastRotationAtMs: null,
  dead: [],
  doubted: [],
};

/** How many rejected and doubted tokens are remembered. */
const REMEMBERED = 64;
/** How many spent ones: twelve weeks of a login whose tokens live an hour, decades of Codex's own (facts 1.5). */
const SPENT_REMEMBERED = 2000;

/** The record with one more dead token in it. What is dead everywhere stays so. */
export function withDeadToken(record: AccountRecord, token: DeadToken): AccountRecord {
  const { fingerprint, endpoint } = token;
  if (endpoint !== undefined && findDead(record, fingerprint, endpoint) !== null) return record;
  const others = record.dead.filter(
    (dead) => dead.fingerprint !== fingerprint || (endpoint !== undefined && dead.endpoint !== endpoint),
  );
  // One endpoint's word is no other's: there it may have been spent.
  const { doubted } = endpoint === undefined ? withoutDoubt(record, fingerprint) : record;
  const same = others.filter((dead) => dead.reason === token.reason);
  const most = token.reason === 'refresh_token_spent' ? SPENT_REMEMBERED : REMEMBERED;
  const oldest = same.length < most ? undefined : same[0];
  return { ...record, dead: [...others.filter((dead) => dead !== oldest), token], doubted };
}

/** The record with one more token in it of which nobody knows whether it was spent. */
export function withDoubt(record: AccountRecord, fingerprint: string): AccountRecord {
  const isDead = record.dead.some((dead) => dead.fingerprint === fingerprint && dead.endpoint === undefined);
  if (isDead) return record;
  const others = record.doubted.filter((doubt) => doubt !== fingerprint);
  return { ...record, doubted: [...others, fingerprint].slice(-REMEMBERED) };
}

/** The record without what it may tell of a doubt about a token. */
export function withoutDoubt(record: AccountRecord, fingerprint: string): AccountRecord {
  return { ...record, doubted: record.doubted.filter((doubt) => doubt !== fingerprint) };
}

/** Why a refresh token must not be sent to an endpoint; null if it may be. */
export function findDead(record: AccountRecord, fingerprint: string, endpoint: string): DeadToken | null {
  const isIt = (dead: DeadToken): boolean =>
    dead.fingerprint === fingerprint && (dead.endpoint === undefined || dead.endpoint === endpoint);
  return record.dead.find(isIt) ?? null;
}

/** What a record on disk and one in memory tell together: the numbering goes on from the higher one. */
export function mergeRecords(onDisk: AccountRecord, inMemory: AccountRecord): AccountRecord {
  if (inMemory.generation === 0) return onDisk;
  const newer = onDisk.generation > inMemory.generation ? onDisk : inMemory;
  const onDiskToo = { ...newer, dead: onDisk.dead, doubted: onDisk.doubted };
  return inMemory.doubted.reduce(withDoubt, inMemory.dead.reduce(withDeadToken, onDiskToo));
}
