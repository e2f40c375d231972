import { readOutcome } from '../core/outcome.js';
import type { Harvest } from './harvest.js';
import type { JournalPort } from './ports.js';

/** What the journal of a daemon that was killed tells. */
export type Recovery =
  | { readonly kind: 'nothing' }
  /** Its answer had come: the tokens are to be stored. */
  | { readonly kind: 'harvest'; readonly harvest: Harvest }
  /** Its token may have been sent, and no whole answer is there. `spent` is its fingerprint. */
  | { readonly kind: 'unknown'; readonly spent: string };

/** Reads what was left unfinished. A body is only recorded while it comes, so what is there and whole is an answer. */
export async function recover(journal: JournalPort, nowMs: number): Promise<Recovery> {
  const left = await journal.read();
  if (left === null) return { kind: 'nothing' };
  const { spent } = left.intent;
  const answer = { kind: 'answered', status: 200, body: left.answer, retryAfter: null, date: null } as const;
  const outcome = readOutcome(answer, nowMs);
  if (outcome.kind !== 'rotated') return { kind: 'unknown', spent };
  return { kind: 'harvest', harvest: { spent, tokens: outcome.tokens, isDurable: true, isStored: false } };
}
