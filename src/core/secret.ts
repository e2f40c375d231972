import { createHash } from 'node:crypto';

/**
 * A token that cannot be printed by accident: string conversion, JSON, `util.inspect` and template literals
 * all give its fingerprint. Only {@link Secret.reveal} gives the token.
 */
export class Secret {
  readonly #value: string;
  /** The first 12 hex digits of the token's SHA-256. */
  readonly fingerprint: string;

  constructor(value: string) {
    this.#value = value;
    this.fingerprint = createHash('sha256').update(value).digest('hex').slice(0, 12);
  }

  /** The token itself. Every call is a place to look at in a review. */
  reveal(): string {
    return this.#value;
  }

  equals(other: Secret | undefined): boolean {
    return other !== undefined && this.#value === other.#value;
  }

  toString(): string {
    return `secret:${this.fingerprint}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
