import fc from 'fast-check';
import type { Credential } from '../../src/core/credential.js';
import type { Provenance, RefreshPolicy } from '../../src/core/plan.js';
import { Secret } from '../../src/core/secret.js';
import { makeJwt, signJwt } from '../support/tokens.js';

/** Any text, every plane of Unicode and every control character included. */
export const anyText = fc.string({ unit: 'binary', maxLength: 60 });

/** Anything that JSON can hold. */
export const anyValue = fc.jsonValue({ maxDepth: 4 });

const secret = fc.string({ minLength: 1, maxLength: 200 }).map((text) => new Secret(text));

/** Years 2001 to 2286, in milliseconds. */
export const instantMs = fc.integer({ min: 1e12, max: 1e13 });

const numericDate = fc.oneof(
  fc.integer({ min: 1e9, max: 1e10 }),
  fc.double(),
  fc.constantFrom(0, -1, 8.64e12, 8.64e12 + 1, Number.MAX_SAFE_INTEGER, 1e308),
);

/** A token: a JWT of Codex's, a JWT with any payload, three parts of anything, or no JWT at all. */
export const anyToken = fc.oneof(
  fc.record({ iat: numericDate, exp: numericDate }).map(makeJwt),
  fc
    .dictionary(fc.constantFrom('exp', 'iat', 'email', 'https://api.openai.com/auth', 'x'), anyValue)
    .map((payload) => signJwt(payload)),
  fc
    .array(fc.base64String({ maxLength: 40 }), { minLength: 2, maxLength: 4 })
    .map((parts) => parts.join('.')),
  anyText,
);

const mostlyToken = fc.oneof({ weight: 4, arbitrary: anyToken }, { weight: 1, arbitrary: anyValue });

/** An object that has any of these fields. */
function partial(
  fields: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Partial<Record<string, unknown>>> {
  return fc.record(fields, { requiredKeys: [] });
}

const AUTH_MODES = [
  'apikey',
  'chatgpt',
  'chatgptAuthTokens',
  'headers',
  'agentIdentity',
  'personalAccessToken',
  'bedrockApiKey',
] as const;

/** The text of something like an auth.json: known fields with right and wrong values, and unknown ones. */
export const anyAuthFile = fc
  .tuple(
    partial({
      auth_mode: fc.oneof(fc.constantFrom(...AUTH_MODES, null), anyValue),
      OPENAI_API_KEY: fc.oneof(fc.constant(null), anyText, anyValue),
      tokens: fc.oneof(
        {
          weight: 4,
          arbitrary: partial({
            id_token: mostlyToken,
            access_token: mostlyToken,
            refresh_token: mostlyToken,
            account_id: fc.oneof(fc.constant(null), anyText, anyValue),
          }),
        },
        { weight: 1, arbitrary: anyValue },
      ),
      last_refresh: fc.oneof(
        instantMs.map((ms) => new Date(ms).toISOString()),
        anyText,
        anyValue,
      ),
      personal_access_token: fc.oneof(anyText, anyValue),
      bedrock_api_key: anyValue,
      agent_identity: anyValue,
    }),
    fc.dictionary(anyText, anyValue, { maxKeys: 3 }),
  )
  .map(([known, unknown]) => JSON.stringify({ ...unknown, ...known }));

/** A credential whose times are possible, though not sensible. */
export const credential: fc.Arbitrary<Credential> = fc.record({
  accessToken: secret,
  expiresAtMs: fc.option(instantMs),
  issuedAtMs: fc.option(instantMs),
  accountId: fc.option(fc.string()),
  plan: fc.option(fc.string()),
  baseUrl: fc.constant('https://chatgpt.com/backend-api/codex'),
});

export const provenance: fc.Arbitrary<Provenance> = fc.record({
  obtainedAtMs: instantMs,
  rotated: fc.boolean(),
  lastRefreshMs: fc.option(instantMs),
  jitterSeed: fc.string(),
});

const DAY_MS = 24 * 3600 * 1000;
const spanMs = fc.oneof(fc.integer({ min: 0, max: 30 * DAY_MS }), fc.constantFrom(0, 1));
const fraction = fc.double({ min: 0, max: 1, noNaN: true });

/** Whatever the configuration takes. */
export const policy: fc.Arbitrary<RefreshPolicy> = fc.record({
  leadFraction: fraction,
  leadMinMs: spanMs,
  leadMaxMs: spanMs,
  jitterFraction: fraction,
  minAgeMs: spanMs,
  unreadableExpiryAfterMs: spanMs,
  lastSafeMomentMs: spanMs,
  backoffMinMs: fc.integer({ min: 100, max: DAY_MS }),
  backoffMaxMs: fc.integer({ min: 100, max: DAY_MS }),
  offlineRetryMs: fc.integer({ min: 100, max: DAY_MS }),
  demandIntervalMs: spanMs,
  rejectionIntervalMs: spanMs,
});
