import type { LoginTokens } from '../login-file.js';

/** What shall be in the file instead of `text`, which is null where there is no file; null to leave it as it is. */
export type Change = (text: string | null) => string | null;

/**
 * One version of Codex as a writer of auth.json: what it locks, how it writes, and what it makes of a file that has
 * changed since it asked the server for new tokens (facts 3).
 */
export interface Rival {
  readonly version: '0.163.0' | '0.166.0' | '0.169.0';
  /** What the token endpoint is told. */
  readonly userAgent: string;
  /**
   * Reads the file, and writes what `change` makes of it.
   *
   * @throws CodexLockTimeout where this version gives up
   */
  save(path: string, change: Change): Promise<void>;
  /** What `codex logout` does to the file. */
  remove(path: string): Promise<void>;
  /** Whether tokens that were got for the login `before` are put into a file that holds `now`. */
  storesOver(now: LoginTokens, before: LoginTokens): boolean;
}
