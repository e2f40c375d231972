/** Who sends: one of our daemons, or somebody else. */
export type Sender = 'us' | 'other';

/** Why a family has ended. */
export type Cause = 'reuse' | 'revocation';

export interface Family {
  readonly account: string;
  /** The only refresh token that is still good. */
  live: string;
  ended: Cause | null;
}

/** One refresh token in the server's book. */
export interface Grant {
  readonly family: Family;
  readonly parent: string | null;
  spentBy: Sender | null;
  child: string | null;
}

export interface AccessGrant {
  readonly token: string;
  readonly family: Family;
  readonly expiresAtMs: number;
  /** The refresh token that came with it. */
  readonly refreshToken: string;
  isRevoked: boolean;
}

/** What goes over the wire. */
export interface Response {
  readonly status: number;
  readonly body: string;
}

const REUSED: Response = refusal(401, 'refresh_token_reused');
const REVOKED: Response = refusal(401, 'refresh_token_invalidated');

/** A token endpoint as strict as there is one: a refresh token works once, and one that comes again ends its family. */
export class VirtualServer {
  /** Of the access tokens that it issues, in milliseconds. */
  lifetimeMs: number;
  /** Whether it gives a new refresh token each time. */
  readonly isRotating: boolean;
  readonly #grants = new Map<string, Grant>();
  readonly #access = new Map<string, AccessGrant>();
  readonly #now: () => number;
  #count = 0;

  constructor(lifetimeMs: number, isRotating: boolean, now: () => number) {
    this.lifetimeMs = lifetimeMs;
    this.isRotating = isRotating;
    this.#now = now;
  }

  /** A person logs in: the tokens of a new family. */
  logIn(account: string): AccessGrant {
    const family = { account, live: '', ended: null };
    const refreshToken = this.#grant(family, null);
    return this.#issue(family, refreshToken);
  }

  /** A refresh token arrives. */
  receive(refreshToken: string, sender: Sender): Response {
    const grant = this.#grants.get(refreshToken);
    if (grant === undefined) return refusal(400, 'invalid_grant');
    const { family } = grant;
    if (family.ended !== null) return family.ended === 'reuse' ? REUSED : REVOKED;
    if (family.live !== refreshToken) {
      family.ended = 'reuse';
      return REUSED;
    }
    if (!this.isRotating) return answer(this.#issue(family, refreshToken), null);
    grant.spentBy = sender;
    grant.child = this.#grant(family, refreshToken);
    return answer(this.#issue(family, grant.child), grant.child);
  }

  grantOf(refreshToken: string): Grant | undefined {
    return this.#grants.get(refreshToken);
  }

  accessOf(accessToken: string): AccessGrant | undefined {
    return this.#access.get(accessToken);
  }

  /** Whether these were issued to the same login. */
  isPair(accessToken: string, refreshToken: string): boolean {
    const family = this.#grants.get(refreshToken)?.family;
    return family !== undefined && this.#access.get(accessToken)?.family === family;
  }

  isLive(refreshToken: string): boolean {
    const family = this.#grants.get(refreshToken)?.family;
    return family?.ended === null && family.live === refreshToken;
  }

  #grant(family: Family, parent: string | null): string {
    const token = `rt-${this.#next()}`;
    this.#grants.set(token, { family, parent, spentBy: null, child: null });
    family.live = token;
    return token;
  }

  #issue(family: Family, refreshToken: string): AccessGrant {
    const issuedAtS = Math.floor(this.#now() / 1000);
    const expiresAtMs = issuedAtS * 1000 + this.lifetimeMs;
    const claims = { iat: issuedAtS, exp: expiresAtMs / 1000, jti: this.#next() };
    const token = `${HEADER}.${encode(claims)}.e30`;
    const grant = { token, family, expiresAtMs, refreshToken, isRevoked: false };
    this.#access.set(token, grant);
    return grant;
  }

  #next(): string {
    this.#count += 1;
    return `${String(this.#count).padStart(8, '0')}.`;
  }
}

const HEADER = encode({ alg: 'none' });

/** An ID token as Codex wants it: it never changes in a family. */
export function idTokenOf(account: string): string {
  const auth = { chatgpt_account_id: account, chatgpt_plan_type: 'plus' };
  return `${HEADER}.${encode({ 'https://api.openai.com/auth': auth })}.e30`;
}

function answer({ token, family }: AccessGrant, refreshToken: string | null): Response {
  const rotated = refreshToken === null ? {} : { refresh_token: refreshToken };
  const body = JSON.stringify({ access_token: token, ...rotated, id_token: idTokenOf(family.account) });
  return { status: 200, body };
}

export function refusal(status: number, code: string): Response {
  return { status, body: JSON.stringify({ error: { code } }) };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
