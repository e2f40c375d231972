import { readFileSync, statSync } from 'node:fs';
import { systemErrorCode } from '../../../src/errors.js';
import type { LoginTokens } from '../../support/login-file.js';
import { tokensIn } from '../../support/rivals/acts.js';
import type { Rival } from '../../support/rivals/rival.js';
import type { StrictTokenEndpoint, TokenRequest } from '../../support/strict-token-endpoint.js';
import { fingerprintOf } from '../../support/tokens.js';

/** Between its last look at the file and the request's arrival a daemon cannot know what others write. */
const UNAWARE_MS = 250;
/** A request that came so shortly before a kill may have had no answer that the daemon could record. */
const KILL_WINDOW_MS = 750;

interface Write {
  readonly atMs: number;
  /** Of the refresh token that was written; null for a logout. */
  readonly fingerprint: string | null;
}

/** Why a login ended. Everything but `ours` is the doing of somebody who does not ask us. */
export type Death =
  | 'a rival sent what was spent'
  | 'a rival was first, and had not saved yet'
  | 'a rival put an old copy back'
  | 'a rival lost its tokens'
  | 'a kill between request and answer'
  | 'ours';

/**
 * Knows what the server's book says, what the rivals wrote and when daemons were killed, and tells from it what a
 * daemon should not have done.
 */
export class Judge {
  readonly violations: string[] = [];
  readonly deaths = new Map<Death, number>();
  /** Requests of ours with a token that the file had lost a moment before, and the longest such moment. */
  readonly unaware = { count: 0, longestMs: 0 };
  /** Tokens that a second daemon sent again, since the first was killed before it could record an answer. */
  sentAgainAfterKill = 0;

  readonly #endpoint: StrictTokenEndpoint;
  readonly #path: string;
  readonly #killsAtMs: readonly number[];
  readonly #unawareMs: number;
  readonly #writes: Write[] = [];

  constructor(
    endpoint: StrictTokenEndpoint,
    path: string,
    killsAtMs: readonly number[],
    unawareMs = UNAWARE_MS,
  ) {
    this.#endpoint = endpoint;
    this.#path = path;
    this.#killsAtMs = killsAtMs;
    this.#unawareMs = unawareMs;
  }

  /** The same rival, whose writes are noted. */
  observing(rival: Rival): Rival {
    return {
      ...rival,
      save: async (path, change) => {
        const written: string[] = [];
        await rival.save(path, (text) => {
          const next = change(text);
          if (next !== null) written.push(next);
          return next;
        });
        for (const text of written) this.#note(tokensIn(text));
      },
      remove: async (path) => {
        await rival.remove(path);
        this.#note(null);
      },
    };
  }

  /** Looks at each request in the instant in which it is read; until the endpoint is closed. */
  async watch(): Promise<never> {
    for (let number = 1; ; number += 1) {
      const request = await this.#endpoint.request(number);
      if (isOurs(request)) this.#examine(request, number - 1);
    }
  }

  /** The login in the file is dead: whose doing was it? */
  mourn({ refresh_token: refreshToken }: LoginTokens): void {
    const death = this.#explain(fingerprintOf(refreshToken));
    this.deaths.set(death, (this.deaths.get(death) ?? 0) + 1);
    if (death === 'ours') this.violations.push(`the login was lost by us at ${new Date().toISOString()}`);
  }

  #note(tokens: LoginTokens | null): void {
    const fingerprint = tokens === null ? null : fingerprintOf(tokens.refresh_token);
    this.#writes.push({ atMs: Date.now(), fingerprint });
  }

  #examine({ fingerprint, atMs }: TokenRequest, index: number): void {
    const before = this.#endpoint.requests.slice(0, index).filter((request) => isOurs(request));
    const first = before.find((request) => request.fingerprint === fingerprint);
    if (first !== undefined) {
      if (this.#wasKilledAfter(first)) this.sentAgainAfterKill += 1;
      else this.violations.push(`${String(fingerprint)} was sent twice by us`);
    }
    const goneMs = this.#goneFor(fingerprint, atMs);
    if (goneMs === null) return;
    this.unaware.count += 1;
    this.unaware.longestMs = Math.max(this.unaware.longestMs, goneMs);
    if (goneMs > this.#unawareMs) {
      this.violations.push(`${String(fingerprint)} was sent ${String(goneMs)} ms after the file had lost it`);
    }
  }

  /** For how long the file has held something else; null if it holds this token, or is being written. */
  #goneFor(fingerprint: string | null, nowMs: number): number | null {
    try {
      const text = readFileSync(this.#path, 'utf8');
      const tokens = tokensIn(text);
      if (tokens === null || fingerprintOf(tokens.refresh_token) === fingerprint) return null;
      return nowMs - statSync(this.#path).ctimeMs;
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      const last = this.#writes.at(-1);
      return last?.fingerprint === null ? nowMs - last.atMs : null;
    }
  }

  #explain(fingerprint: string): Death {
    const { requests } = this.#endpoint;
    const spender = requests.find((request) => request.fingerprint === fingerprint && request.spent);
    if (spender === undefined) return this.#explainRevocation();
    const isOld = this.#writes.some(
      (write) => write.fingerprint === fingerprint && write.atMs > spender.atMs,
    );
    if (isOld) return 'a rival put an old copy back';
    if (!isOurs(spender)) return 'a rival lost its tokens';
    return this.#wasKilledAfter(spender) ? 'a kill between request and answer' : 'ours';
  }

  /** The family was ended because a spent token came again. */
  #explainRevocation(): Death {
    const { requests } = this.#endpoint;
    const again = requests.findLast(({ outcome }) => outcome === 'refresh_token_reused');
    if (again === undefined) return 'ours';
    if (!isOurs(again)) return 'a rival sent what was spent';
    const spender = requests.find(({ fingerprint, spent }) => spent && fingerprint === again.fingerprint);
    if (spender === undefined) return 'ours';
    if (isOurs(spender)) return this.#wasKilledAfter(spender) ? 'a kill between request and answer' : 'ours';
    return 'a rival was first, and had not saved yet';
  }

  #wasKilledAfter({ atMs }: TokenRequest): boolean {
    return this.#killsAtMs.some((killedAtMs) => killedAtMs >= atMs && killedAtMs - atMs < KILL_WINDOW_MS);
  }
}

export function isOurs({ userAgent }: TokenRequest): boolean {
  return userAgent?.startsWith('codex-authd/') === true;
}
