import type { ReasonOf } from './reasons.js';

/** What was found at the path of an auth.json. */
export type Reading =
  | SettledReading
  /** The file changed while it was read; nothing can be said of it yet. */
  | { readonly kind: 'unsettled' };

/** A reading of which something can be said. */
export type SettledReading =
  | TextReading
  | AbsentReading
  /** Something is there that cannot be read as a file of text. */
  | {
      readonly kind: 'refused';
      readonly reason: ReasonOf<'corrupt'>;
      readonly detail: string;
      readonly stamp: string;
    };

export interface TextReading {
  readonly kind: 'text';
  readonly text: string;
  /** Equal for two readings between which nothing was written. */
  readonly stamp: string;
  readonly modifiedAtMs: number;
}

export interface AbsentReading {
  readonly kind: 'absent';
  readonly stamp: string;
  /** The store that Codex is told to use instead of the file (`keyring`, `auto`, `ephemeral`); null if none. */
  readonly otherStore: string | null;
}
