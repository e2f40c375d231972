import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readOutcome, type Answer, type Outcome } from '../../src/core/outcome.js';
import { REASONS } from '../../src/core/reasons.js';
import { holdsForAll } from '../support/property.js';
import { anyText, anyToken, anyValue, instantMs } from './arbitraries.js';

const NOW_MS = Date.parse('2026-11-22T12:00:00Z');

type Answered = Extract<Answer, { kind: 'answered' }>;

function answered(status: number, body: unknown, retryAfter: string | null = null): Answered {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { kind: 'answered', status, body: text, retryAfter, date: null };
}

function read(status: number, body: unknown, retryAfter: string | null = null): Outcome {
  return readOutcome(answered(status, body, retryAfter), NOW_MS);
}

describe('an answer with tokens', () => {
  it('is a rotation, with each of them optional', () => {
    const outcome = read(200, { access_token: 'a', refresh_token: 'r', id_token: 'i', token_type: 'Bearer' });
    if (outcome.kind !== 'rotated') throw new Error(outcome.kind);
    const { accessToken, refreshToken, idToken } = outcome.tokens;
    expect([accessToken?.reveal(), refreshToken?.reveal(), idToken?.reveal()]).toEqual(['a', 'r', 'i']);
    expect(read(200, { access_token: 'a' })).toMatchObject({
      kind: 'rotated',
      tokens: { refreshToken: null, idToken: null },
    });
    expect(read(201, { access_token: 'a' }).kind).toBe('rotated');
  });

  it('is a rotation also where only a refresh token came: that one must not be lost', () => {
    const outcome = read(200, { refresh_token: 'r' });
    expect(outcome).toMatchObject({ kind: 'rotated', tokens: { accessToken: null, idToken: null } });
  });

  it('without a token leaves open whether the refresh token was spent', () => {
    const bodies = [
      '',
      '{}',
      'null',
      '[]',
      '"a"',
      '<html>',
      '{"access_token":"a"',
      { access_token: 7 },
      { access_token: '' },
    ];
    for (const body of bodies)
      expect(read(200, body), JSON.stringify(body)).toMatchObject({ kind: 'unknown' });
    expect(read(204, '')).toMatchObject({ kind: 'unknown' });
  });
});

describe('an error answer', () => {
  const TERMINAL = [
    'refresh_token_expired',
    'refresh_token_reused',
    'refresh_token_invalidated',
    'token_invalidated',
    'token_revoked',
    'token_expired',
    'invalid_refresh_token',
    'app_session_terminated',
    'account_session_expired',
    'account_deactivated',
    'account_suspended',
    'account_deleted',
  ];

  it('ends the refresh token where its code says so, wherever the code stands', () => {
    for (const code of TERMINAL) {
      for (const body of [
        { error: { code } },
        { error: code },
        { code },
        { error: { message: 'no' }, code },
      ]) {
        for (const status of [400, 401, 403]) {
          expect(read(status, body), JSON.stringify(body)).toMatchObject({ kind: 'rejected', code });
        }
      }
    }
  });

  it('ends the refresh token with any 401, and with 400 invalid_grant', () => {
    for (const body of ['', '<html>', {}, { error: 'temporarily_unavailable' }]) {
      expect(read(401, body), JSON.stringify(body)).toMatchObject({ kind: 'rejected' });
    }
    expect(read(401, '')).toMatchObject({ code: 'status 401' });
    expect(read(400, { error: 'invalid_grant' })).toMatchObject({ kind: 'rejected', code: 'invalid_grant' });
  });

  it('ends nothing in any other case', () => {
    const cases: readonly (readonly [status: number, body: unknown, reason: string])[] = [
      [400, {}, 'refused'],
      [400, { error: 'invalid_request' }, 'refused'],
      [400, { error: 'invalid_client' }, 'refused'],
      [403, {}, 'refused'],
      [403, '<html>', 'refused'],
      [403, { error: 'invalid_grant' }, 'refused'],
      [404, '', 'refused'],
      [429, {}, 'rate_limited'],
      [429, { error: { code: 'refresh_token_expired' } }, 'rate_limited'],
      [501, {}, 'server_error'],
      [503, { error: { code: 'refresh_token_expired' } }, 'server_error'],
      [503, '', 'server_error'],
      [521, '<html>', 'server_error'],
      [525, '<html>', 'server_error'],
      [300, '', 'redirected'],
      [301, '', 'redirected'],
      [302, { access_token: 'a' }, 'redirected'],
      [304, '', 'redirected'],
      [307, '', 'redirected'],
    ];
    for (const [status, body, reason] of cases) {
      expect(read(status, body), `${String(status)} ${JSON.stringify(body)}`).toMatchObject({
        kind: 'retry',
        reason,
      });
    }
  });

  it('of a gateway, or of a server that failed half-way, leaves open whether the refresh token was spent', () => {
    for (const status of [408, 500, 502, 504, 507, 520, 522, 524, 599]) {
      expect(read(status, { error: { code: 'refresh_token_expired' } })).toMatchObject({ kind: 'unknown' });
    }
  });
});

describe('a 503', () => {
  const ENVOY =
    'upstream connect error or disconnect/reset before headers. reset reason: connection termination';
  const PAGES = [
    ENVOY,
    '<html><head><title>503 first byte timeout</title></head><body><h1>Error 503</h1></body></html>',
    '<h2>Our services aren’t available right now</h2>',
    '503 backend read error',
    '<html><title>503 Service Unavailable</title></html>',
    'Service Unavailable: the origin timed out',
    '"Service Unavailable"',
    '{"message":"Service Unavailable"}',
    '{"error":',
    '{"error":null,"message":"upstream timed out"}',
  ];

  it('in the endpoint’s own words, or in none, says that the request was not carried out', () => {
    const OWN = ['', '\r\n', 'Service Unavailable', ' 503 service unavailable\n', '503  SERVICE UNAVAILABLE'];
    for (const body of [...OWN, { error: 'temporarily_unavailable' }, { error: { code: 'overloaded' } }]) {
      expect(read(503, body), JSON.stringify(body)).toMatchObject({ kind: 'retry', reason: 'server_error' });
    }
  });

  it('that a proxy or a gateway wrote leaves open whether the refresh token was spent: it may have lost the server half-way', () => {
    for (const body of PAGES) expect(read(503, body), body).toMatchObject({ kind: 'unknown', afterMs: null });
  });

  it('that a proxy wrote with a time to ask again, as Varnish does, is one no less; the time is heard', () => {
    for (const body of PAGES)
      expect(read(503, body, '7'), body).toMatchObject({ kind: 'unknown', afterMs: 7000 });
    expect(read(503, '', '7')).toMatchObject({ kind: 'retry', afterMs: 7000 });
  });

  it('is the only failure whose words matter', () => {
    for (const body of PAGES) expect(read(521, body).kind).toBe('retry');
    for (const body of ['', {}]) expect(read(502, body, '7').kind).toBe('unknown');
  });
});

describe('Retry-After', () => {
  const after = (value: string | null): unknown => {
    const outcome = read(429, '', value);
    return outcome.kind === 'retry' ? outcome.afterMs : outcome.kind;
  };

  it('is seconds, or a date', () => {
    expect(after('7')).toBe(7000);
    expect(after(' 120 ')).toBe(120_000);
    expect(after('0')).toBe(0);
    expect(after(new Date(NOW_MS + 90_000).toUTCString())).toBe(90_000);
    expect(after(new Date(NOW_MS - 90_000).toUTCString())).toBe(0);
  });

  it('is ignored where it is neither', () => {
    for (const value of [null, '', 'soon', '1e999', 'NaN', '9'.repeat(400)])
      expect(after(value), String(value)).toBeNull();
  });

  it('is heard with 503 as well', () => {
    expect(read(503, '', '30')).toMatchObject({ kind: 'retry', afterMs: 30_000 });
    expect(read(500, '', '30')).toMatchObject({ kind: 'unknown', afterMs: 30_000 });
  });

  it('is never negative nor no number, whatever it is', () => {
    holdsForAll(anyText, instantMs, (value, now) => {
      const outcome = readOutcome(answered(429, '', value), now);
      if (outcome.kind !== 'retry') throw new Error(outcome.kind);
      if (outcome.afterMs !== null) expect(outcome.afterMs).toBeGreaterThanOrEqual(0);
    });
  });
});

describe('no answer', () => {
  it('is harmless where the request never left', () => {
    for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'ENETDOWN', 'EHOSTUNREACH']) {
      const outcome = readOutcome({ kind: 'never_sent', code, message: 'm' }, NOW_MS);
      expect(outcome).toMatchObject({ kind: 'retry', reason: 'offline', afterMs: null });
    }
    const refused = readOutcome({ kind: 'never_sent', code: 'ECONNREFUSED', message: 'm' }, NOW_MS);
    expect(refused).toMatchObject({ kind: 'retry', reason: 'unreachable' });
  });

  it('leaves everything open where the request was sent', () => {
    expect(readOutcome({ kind: 'lost', message: 'm' }, NOW_MS).kind).toBe('unknown');
  });
});

describe('any answer', () => {
  const field = fc.oneof(anyToken, anyText, anyValue);
  const anyBody = fc.oneof(
    anyText,
    anyValue.map((value) => JSON.stringify(value)),
    fc
      .record(
        {
          access_token: field,
          refresh_token: field,
          id_token: field,
          error: fc.oneof(field, fc.record({ code: field, message: field }, { requiredKeys: [] })),
          code: field,
          error_description: field,
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );
  const status = fc.integer({ min: 100, max: 599 });
  const header = fc.option(anyText);

  it('has exactly one meaning, and reading it never throws', () => {
    holdsForAll(status, anyBody, header, header, instantMs, (code, body, retryAfter, date, now) => {
      const outcome = readOutcome({ kind: 'answered', status: code, body, retryAfter, date }, now);
      switch (outcome.kind) {
        case 'rotated':
          expect(code >= 200 && code < 300).toBe(true);
          break;
        case 'rejected':
          expect(code >= 400 && code < 500 && code !== 429).toBe(true);
          break;
        case 'retry':
          expect(REASONS[outcome.reason].state).toBe('degraded');
          break;
        case 'unknown':
          expect(outcome.detail).not.toBe('');
      }
    });
  });

  it('keeps a refresh token that came with 2xx, whatever came with it', () => {
    holdsForAll(field, field, fc.string({ minLength: 1 }), (access, id, refresh) => {
      const outcome = read(200, { access_token: access, id_token: id, refresh_token: refresh });
      if (outcome.kind !== 'rotated') throw new Error(outcome.kind);
      expect(outcome.tokens.refreshToken?.reveal()).toBe(refresh);
    });
  });

  it('says nothing in its own words: of a body only a code that is one word gets out', () => {
    const marker = fc.constantFrom(
      'leak me',
      'leak\nme',
      '\u001B[31mleak',
      `leak${'x'.repeat(64)}`,
      'leak:me',
      '<leak>',
    );
    holdsForAll(status, marker, fc.constantFrom(0, 1, 2, 3, 4, 5), (code, text, place) => {
      const bodies = [
        text,
        { error: text },
        { error: { code: text, message: text } },
        { code: text },
        { error: 'a_code', error_description: text, message: text },
        { access_token: text, refresh_token: text, error: text },
      ];
      const outcome = read(code, bodies[place]);
      expect(JSON.stringify(outcome)).not.toContain('leak');
    });
    holdsForAll(status, anyBody, (code, body) => {
      const outcome = read(code, body);
      const said = outcome.kind === 'rotated' ? '' : outcome.detail;
      expect(said).toMatch(/^[A-Za-z0-9 ,:()_.-]*$/);
    });
  });
});
