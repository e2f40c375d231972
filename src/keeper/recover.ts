import { readOutcome } from '../core/outcome.js';
import { AuthdError, describeError } from '../errors.js';
import type { Harvest } from './harvest.js';
import type { JournalPort, Unfinished } from './ports.js';

/** What the journal of a daemon that was killed tells. `spent` is the fingerprint of the token that it had sent. */
export type Recovery =
  /** Its answer had come: the tokens are to be stored. */
  | {
      readonly kind: 'harvest';
      readonly spent: string;
      readonly startedAtMs: number;
      readonly harvest: Harvest;
      readonly isOwn: boolean;
    }
  /** Its token may have been sent, and no whole answer is there. */
  | {
      readonly kind: 'unknown';
      readonly spent: string;
      readonly startedAtMs: number;
      readonly isOwn: boolean;
    };

/**
 * Reads what was left unfinished. Only what comes with a success is recorded, so what is there and whole holds new tokens;
 * after any other answer nothing is there, as if none had come.
 *
 * @throws AuthdError `storage` if something that is there cannot be read
 */
export async function recover(journal: Pick<JournalPort, 'read'>, nowMs: number): Promise<Recovery[]> {
  const left = (await read(journal)).map((each) => interpret(each, nowMs));
  // Where one daemon had begun anew with a token, another one's answer may have come after all: that is what became of it.
  const answered = new Set(left.flatMap(({ kind, spent }) => (kind === 'harvest' ? [spent] : [])));
  return left.filter(({ kind, spent }) => kind === 'harvest' || !answered.has(spent));
}

function interpret(
  { spent, answer: body, startedAtMs, isDurable, isOwn }: Unfinished,
  nowMs: number,
): Recovery {
  const answer = { kind: 'answered', status: 200, body, retryAfter: null, date: null } as const;
  const outcome = readOutcome(answer, nowMs);
  if (outcome.kind !== 'rotated') return { kind: 'unknown', spent, startedAtMs, isOwn };
  const harvest = { spent, startedAtMs, tokens: outcome.tokens, isDurable, isStored: false };
  return { kind: 'harvest', spent, startedAtMs, harvest, isOwn };
}

async function read(journal: Pick<JournalPort, 'read'>): Promise<Unfinished[]> {
  try {
    return await journal.read();
  } catch (error) {
    throw new AuthdError('storage', `a journal cannot be read: ${describeError(error)}`, {
      hint: 'make the state directory and what is in it readable; it may hold the only copy of a login',
      cause: error,
    });
  }
}
