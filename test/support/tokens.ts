import { createHash, createHmac, randomUUID } from 'node:crypto';

/** What a token shall say (facts 1.4). Times are in seconds since the epoch, as in any JWT. */
export interface TokenClaims {
  readonly iat?: number;
  /** null leaves it out: a token that does not say when it expires. */
  readonly exp?: number | null;
  readonly accountId?: string;
  readonly plan?: string;
  readonly userId?: string;
  readonly email?: string;
  /** Where Codex puts the address: at the top level, or under the profile claim. */
  readonly emailAt?: 'top' | 'profile';
  /** Whatever else the payload shall hold. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export const ACCOUNT_ID = 'acct-0c1e5d8a';
export const PLAN = 'pro';
export const EMAIL = 'ada@example.test';

/** Nobody checks it (facts 1.4). */
const KEY = 'a key that only the tests know';

/** A JWT with these claims, HS256, unlike every other one (`jti`). */
export function makeJwt(claims: TokenClaims = {}): string {
  const email = claims.email ?? EMAIL;
  return signJwt({
    jti: randomUUID(),
    iss: 'https://auth.openai.com',
    aud: ['https://api.openai.com/v1'],
    iat: claims.iat,
    exp: claims.exp ?? undefined,
    'https://api.openai.com/auth': {
      chatgpt_account_id: claims.accountId ?? ACCOUNT_ID,
      chatgpt_plan_type: claims.plan ?? PLAN,
      chatgpt_user_id: claims.userId ?? 'user-7f3b',
    },
    ...(claims.emailAt === 'top' ? { email } : { 'https://api.openai.com/profile': { email } }),
    ...claims.more,
  });
}

/** A JWT with exactly this payload. */
export function signJwt(payload: Readonly<Record<string, unknown>>): string {
  const content = [{ alg: 'HS256', typ: 'JWT' }, payload]
    .map((part) => base64url(JSON.stringify(part)))
    .join('.');
  return `${content}.${createHmac('sha256', KEY).update(content).digest('base64url')}`;
}

/** An access token that is issued at `issuedAtMs` and lives for `lifetimeSeconds`, both in whole seconds as OpenAI's. */
export function makeAccessToken(
  issuedAtMs: number,
  lifetimeSeconds: number,
  claims: TokenClaims = {},
): string {
  const iat = Math.floor(issuedAtMs / 1000);
  return makeJwt({ iat, exp: iat + lifetimeSeconds, ...claims });
}

/** A refresh token: opaque, and unlike every other one. */
export function makeRefreshToken(): string {
  return `rt_${randomUUID().replaceAll('-', '')}`;
}

/** What the program shows of a token. */
export function fingerprintOf(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 12);
}

/** The account that a token names; undefined for one that is no JWT, as an API key is none. */
export function accountOf(token: string): string | undefined {
  const [, payload] = token.split('.');
  if (payload === undefined) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
    const auth = claims['https://api.openai.com/auth'] as { chatgpt_account_id?: string } | undefined;
    return auth?.chatgpt_account_id;
  } catch {
    return undefined;
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
