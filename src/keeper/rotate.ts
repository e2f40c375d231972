import { withTokens } from '../core/edit.js';
import { readLogin } from '../core/login.js';
import { readOutcome, type Outcome, type TokenSet } from '../core/outcome.js';
import type { Reading, TextReading } from '../core/reading.js';
import { Secret } from '../core/secret.js';
import type { Trouble } from '../core/state.js';
import { AuthdError, describeError } from '../errors.js';
import { pause, type Clock } from '../os/clock.js';
import { isRotation, type Harvest } from './harvest.js';
import { recover } from './recover.js';
import type {
  AccountLockPort,
  AuthFilePort,
  Intent,
  JournalPort,
  OpenJournalPort,
  StagePort,
  TokenEndpointPort,
} from './ports.js';

export interface RotationPorts {
  readonly authFile: AuthFilePort;
  readonly endpoint: TokenEndpointPort;
  readonly journal: JournalPort;
  readonly lock: AccountLockPort;
  readonly clock: Clock;
  /** Told of tokens as soon as they have come, before anything is done with them that could fail. */
  readonly onHarvest: (harvest: Harvest) => void;
  /** Told of a refresh token that somebody has sent, and nobody knows what became of it. Whether that was news. */
  readonly onDoubt: (fingerprint: string) => boolean;
}

/** How a rotation ended. */
export type RotationResult =
  /** The new tokens are in auth.json, durably. */
  | { readonly kind: 'stored' }
  /** Someone else changed the login: theirs is the truth, nothing of ours was stored. */
  | { readonly kind: 'overtaken'; readonly harvest: Harvest | null }
  /** The server gave tokens that could not be stored yet. They must not be lost. */
  | { readonly kind: 'not_stored'; readonly detail: string }
  /** The server gave no tokens. */
  | { readonly kind: 'failed'; readonly outcome: Exclude<Outcome, { kind: 'rotated' }> }
  /** Nothing was sent. */
  | { readonly kind: 'blocked'; readonly trouble: Trouble };

/**
 * The whole story of one rotation. `known` is the refresh token that the caller takes to be the file's, `isDoubted`
 * whether it may have been spent by a sending before this one.
 * Nothing stops it between the request and the end of the commit: no caller can cancel it.
 */
export async function rotate(
  known: Secret,
  isDoubted: boolean,
  ports: RotationPorts,
): Promise<RotationResult> {
  const { authFile, endpoint, lock, clock } = ports;
  let journal: OpenJournalPort | null = null;
  let stage: StagePort | null = null;
  const { tenure } = lock;
  try {
    // Whoever had the lock until now may have sent this very token: that is looked at first.
    if ((await lock.ensure()) === 'taken') return { kind: 'overtaken', harvest: null };

    const before = await authFile.read();
    if (!hasRefreshToken(before, known.fingerprint)) return { kind: 'overtaken', harvest: null };
    if (await isNewsOf(known, isDoubted, ports)) return { kind: 'overtaken', harvest: null };

    rehearse(before.text, clock.now());
    const send = await endpoint.prepare();
    stage = await authFile.stage(Buffer.byteLength(before.text), () => lock.held);
    const startedAtMs = clock.now();
    journal = await openJournal(ports, { spent: known.fingerprint, startedAtMs });

    // All that takes its time, the connection as well, and with it goes the lock perhaps, or the login. Taken anew meanwhile,
    // the lock is no better than lost: somebody may have had it in between.
    const look = { isWithheld: false };
    const mayLeave = async (): Promise<boolean> => {
      const last = await authFile.read();
      const isOurs = (await lock.confirm()) && lock.tenure === tenure;
      look.isWithheld = !isOurs || !hasRefreshToken(last, known.fingerprint);
      return !look.isWithheld;
    };
    const answer = await send(known, journal.record.bind(journal), mayLeave);
    if (look.isWithheld) {
      // It tells of the sending before, too.
      if (!isDoubted) await journal.discard().catch(() => undefined);
      if (lock.held) return { kind: 'overtaken', harvest: null };
      return blocked('locked_elsewhere', LOST_UNSENT);
    }
    const isDurable = await seal(journal);

    const outcome = readOutcome(answer, clock.now());
    if (outcome.kind === 'rotated') {
      const { fingerprint: spent } = known;
      const harvest = { spent, startedAtMs, tokens: outcome.tokens, isDurable, isStored: false };
      ports.onHarvest(harvest);
      return await store(harvest, ports, stage);
    }
    return { kind: 'failed', outcome };
  } catch (error) {
    return explainBlocked(error);
  } finally {
    // By now it is known what came of it: nothing that fails here may say otherwise.
    await journal?.close().catch(() => undefined);
    await stage?.discard().catch(() => undefined);
  }
}

/** Stores a harvest that could not be stored when it came. */
export async function storeHarvest(harvest: Harvest, ports: RotationPorts): Promise<RotationResult> {
  let stage: StagePort | null = null;
  try {
    await ports.lock.ensure();
    if (!harvest.isDurable && !harvest.isStored) await sealAgain(harvest, ports);
    stage = await ports.authFile.stage(0, () => ports.lock.held);
    return await store(harvest, ports, stage);
  } catch (error) {
    return { kind: 'not_stored', detail: describeError(error) };
  } finally {
    await stage?.discard().catch(() => undefined);
  }
}

const LOST_UNSENT = 'the lock was lost before anything was sent';

/** A writer that tears the file, or one that is quicker than the comparison, is given this many chances to finish. */
const STORE_ATTEMPTS = 8;
const STORE_PAUSE_MS = 100;

/**
 * Puts the tokens into the file as it is now, as long as it still holds the refresh token that was spent for them. A
 * file that was only edited elsewhere keeps that edit.
 */
async function store(harvest: Harvest, ports: RotationPorts, stage: StagePort): Promise<RotationResult> {
  const { authFile, lock, clock } = ports;
  const { spent, tokens } = harvest;
  try {
    for (let attempt = 0; attempt < STORE_ATTEMPTS; attempt += 1) {
      if (attempt > 0) await pause(clock, STORE_PAUSE_MS);
      if (!lock.held) await lock.ensure();
      const reading = await authFile.readSettled();
      if (reading.kind === 'unsettled' || isTorn(reading)) continue;
      const inFile = refreshTokenIn(reading);
      if (reading.kind === 'text' && isRotation(harvest) && inFile === tokens.refreshToken?.fingerprint) {
        // A commit that failed after its rename.
        await stage.confirm();
        return { kind: 'stored' };
      }
      if (reading.kind !== 'text' || inFile !== spent) return { kind: 'overtaken', harvest };
      const text = withTokens(reading.text, tokens, clock.now());
      if (await stage.commit(reading.text, text)) return { kind: 'stored' };
    }
    return { kind: 'not_stored', detail: 'auth.json kept changing while it was to be replaced' };
  } catch (error) {
    return {
      kind: 'not_stored',
      detail: `auth.json could not be replaced: ${describeError(error)}`,
    };
  }
}

/**
 * Whether the journals tell of this token what nobody knew who decided to send it, and tells that. It may have been answered
 * after all: to a daemon that stood still while it had its request under way, has lost the lock, and cannot store what came.
 * Or another account of this daemon has sent it, whose home had a copy of this login.
 */
async function isNewsOf(
  { fingerprint }: Secret,
  isDoubted: boolean,
  { journal, clock, onHarvest, onDoubt }: RotationPorts,
): Promise<boolean> {
  for (const left of await recover(journal, clock.now())) {
    if (left.spent !== fingerprint) continue;
    if (left.kind === 'harvest' && isRotation(left.harvest)) {
      onHarvest(left.harvest);
      return true;
    }
    if (left.kind === 'unknown' && !isDoubted && onDoubt(fingerprint)) return true;
  }
  return false;
}

/** Whether what was recorded would outlive a loss of power. */
async function seal(journal: OpenJournalPort): Promise<boolean> {
  try {
    await journal.seal();
    return true;
  } catch {
    return false;
  }
}

/** Who reads a journal makes durable what is in it: until they are in the file as well, consumers may have the tokens then. */
async function sealAgain(harvest: Harvest, { journal, clock, onHarvest }: RotationPorts): Promise<void> {
  const left = await recover(journal, clock.now()).catch(() => []);
  for (const each of left) {
    if (each.kind !== 'harvest' || each.spent !== harvest.spent || !each.harvest.isDurable) continue;
    // Another daemon may have had another answer to the same token.
    if (isSame(each.harvest.tokens, harvest.tokens)) onHarvest(each.harvest);
  }
}

function isSame(one: TokenSet, other: TokenSet): boolean {
  const kinds = ['accessToken', 'refreshToken', 'idToken'] as const;
  return kinds.every((kind) => one[kind]?.fingerprint === other[kind]?.fingerprint);
}

async function openJournal({ journal, lock }: RotationPorts, intent: Intent): Promise<OpenJournalPort> {
  // Whoever begins a journal removes those that were never begun: another one's may be just that.
  if (!lock.held) throw new AuthdError('already_running', LOST_UNSENT);
  try {
    return await journal.begin(intent);
  } catch (error) {
    throw new AuthdError('storage', `the journal cannot be written: ${describeError(error)}`, {
      hint: 'free space or make the state directory writable',
      cause: error,
    });
  }
}

function hasRefreshToken(reading: Reading, fingerprint: string): reading is TextReading {
  return refreshTokenIn(reading) === fingerprint;
}

/** The fingerprint of the refresh token in the file; null if there is none. */
function refreshTokenIn(reading: Reading): string | null {
  if (reading.kind !== 'text') return null;
  const login = readLogin(reading.text);
  return login.kind === 'chatgpt' ? login.refreshToken.fingerprint : null;
}

/** A document that nobody can read may be half of one in which our login still is; one that is whole tells. */
function isTorn(reading: Reading): boolean {
  if (reading.kind === 'refused') return true;
  if (reading.kind !== 'text') return false;
  const login = readLogin(reading.text);
  return login.kind === 'none' && login.reason === 'not_json';
}

/** Edits the text as it will be edited with the real answer, so that a document in which that fails costs no token. */
function rehearse(text: string, nowMs: number): void {
  const stand = new Secret('e30.e30.e30');
  try {
    withTokens(text, { accessToken: stand, refreshToken: stand, idToken: stand }, nowMs);
  } catch (error) {
    throw new AuthdError(
      'storage',
      `new tokens could not be written into auth.json: ${describeError(error)}`,
      {
        hint: 'run `codex login`',
        cause: error,
      },
    );
  }
}

function explainBlocked(error: unknown): RotationResult {
  if (!(error instanceof AuthdError)) throw error;
  switch (error.code) {
    case 'already_running':
      return blocked('locked_elsewhere', error.message, error.hint);
    case 'bad_configuration':
      return blocked('unreachable', error.message, error.hint);
    default:
      return blocked('storage_unavailable', error.message, error.hint);
  }
}

function blocked(reason: Trouble['reason'], detail: string, hint: string | null = null): RotationResult {
  return { kind: 'blocked', trouble: { reason, detail, hint } };
}
