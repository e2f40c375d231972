import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Credential } from '../../src/core/credential.js';
import { readLogin, type Login } from '../../src/core/login.js';
import { REASONS, unservedCode, type ReasonCode, type StateName } from '../../src/core/reasons.js';
import { decideState, sameState, servable, type KeeperFacts, type Trouble } from '../../src/core/state.js';
import { Secret } from '../../src/core/secret.js';
import { holdsForAll } from '../support/property.js';
import { anyAuthFile, credential, instantMs } from './arbitraries.js';

const STATES: readonly StateName[] = [
  'fresh',
  'refreshing',
  'degraded',
  'login_required',
  'logged_out',
  'unsupported',
  'corrupt',
];

function reasonsOf(...states: readonly StateName[]): ReasonCode[] {
  return (Object.keys(REASONS) as ReasonCode[]).filter((reason) => states.includes(REASONS[reason].state));
}

const anyLogin: fc.Arbitrary<Login> = fc.oneof(
  anyAuthFile.map((text) => readLogin(text)),
  credential.map(rotating),
  credential.map((served): Login => ({ kind: 'api_key', credential: { ...served, expiresAtMs: null } })),
  fc
    .constantFrom(...reasonsOf('logged_out', 'unsupported', 'corrupt'))
    .map((reason) => ({ kind: 'none', reason, detail: 'a reason' }) as Login),
);

const anyTrouble: fc.Arbitrary<Trouble | null> = fc.option(
  fc
    .constantFrom(...reasonsOf('degraded', 'login_required'))
    .map((reason) => ({ reason, detail: 'something is the matter' }) as Trouble),
);

const anyFacts: fc.Arbitrary<KeeperFacts> = fc.record({
  login: anyLogin,
  nowMs: instantMs,
  rotating: fc.boolean(),
  trouble: anyTrouble,
});

function rotating(served: Credential): Login {
  return {
    kind: 'chatgpt',
    credential: served,
    refreshToken: new Secret('r'),
    idToken: null,
    lastRefreshMs: null,
    email: null,
  };
}

const NOW_MS = Date.parse('2026-11-22T12:00:00Z');

function login(expiresAtMs: number | null): Login {
  return rotating({
    accessToken: new Secret('a'),
    expiresAtMs,
    issuedAtMs: null,
    accountId: null,
    plan: null,
    baseUrl: 'https://example.test',
  });
}

describe('whatever the facts are', () => {
  it('they amount to exactly one state, which is the state of its reason', () => {
    holdsForAll(anyFacts, (facts) => {
      const state = decideState(facts);
      expect(STATES).toContain(state.name);
      expect(REASONS[state.reason].state).toBe(state.name);
      expect(state.hint).toBe(REASONS[state.reason].hint);
      expect(state.detail).not.toBe('');
    });
  });

  it('what is served has not expired', () => {
    holdsForAll(anyFacts, (facts) => {
      const { serving, servesUntilMs } = decideState(facts);
      if (!serving) expect(servesUntilMs).toBeNull();
      if (servesUntilMs !== null) expect(servesUntilMs).toBeGreaterThan(facts.nowMs);
    });
  });

  it('a credential that has not expired is served, in whatever trouble', () => {
    holdsForAll(anyFacts, (facts) => {
      const isServable = facts.login.kind !== 'none' && servable(facts.login.credential, facts.nowMs);
      expect(decideState(facts).serving).toBe(isServable);
    });
  });

  it('fresh means that something is served; logged out, unsupported and corrupt that nothing is', () => {
    holdsForAll(anyFacts, (facts) => {
      const { name, serving } = decideState(facts);
      if (name === 'fresh') expect(serving).toBe(true);
      if (['logged_out', 'unsupported', 'corrupt'].includes(name)) expect(serving).toBe(false);
    });
  });

  it('the same facts give the same state', () => {
    holdsForAll(anyFacts, (facts) => {
      expect(sameState(decideState(facts), decideState(facts))).toBe(true);
    });
  });
});

describe('a rotating login', () => {
  const trouble: Trouble = { reason: 'server_error', detail: 'the server is ill' };
  const valid = login(NOW_MS + 1);
  const expired = login(NOW_MS);

  it('is fresh until the instant of its expiry', () => {
    const facts = { nowMs: NOW_MS, rotating: false, trouble: null };
    expect(decideState({ ...facts, login: valid })).toMatchObject({
      name: 'fresh',
      servesUntilMs: NOW_MS + 1,
    });
    expect(decideState({ ...facts, login: expired })).toMatchObject({ reason: 'expired', serving: false });
    expect(decideState({ ...facts, login: login(null) })).toMatchObject({
      reason: 'expiry_unknown',
      serving: true,
    });
  });

  it('is refreshing while a rotation is in flight, whatever went wrong before', () => {
    const facts = { nowMs: NOW_MS, rotating: true, trouble };
    expect(decideState({ ...facts, login: valid })).toMatchObject({ name: 'refreshing', serving: true });
    expect(decideState({ ...facts, login: expired })).toMatchObject({ name: 'refreshing', serving: false });
  });

  it('is degraded in trouble, and serves what it has to the end', () => {
    const facts = { nowMs: NOW_MS, rotating: false, trouble };
    expect(decideState({ ...facts, login: valid })).toMatchObject({
      name: 'degraded',
      reason: 'server_error',
      detail: 'the server is ill',
      serving: true,
    });
    expect(decideState({ ...facts, login: expired })).toMatchObject({ name: 'degraded', serving: false });
  });

  it('wants a new login once its refresh token is dead, and serves the access token to its end', () => {
    const dead: Trouble = { reason: 'refresh_token_rejected', detail: 'the server refuses it' };
    expect(decideState({ login: valid, nowMs: NOW_MS, rotating: false, trouble: dead })).toMatchObject({
      name: 'login_required',
      serving: true,
      hint: 'run `codex login`',
    });
  });
});

describe('the problem code of a state', () => {
  it('is its own name where a person must act, and `unavailable` where the daemon does', () => {
    const codes = Object.fromEntries(STATES.map((state) => [state, unservedCode(state)]));
    expect(codes).toEqual({
      fresh: 'unavailable',
      refreshing: 'unavailable',
      degraded: 'unavailable',
      login_required: 'login_required',
      logged_out: 'logged_out',
      unsupported: 'unsupported',
      corrupt: 'corrupt',
    });
  });

  it('comes with a next step where a person must act', () => {
    for (const reason of reasonsOf('login_required', 'logged_out', 'unsupported', 'corrupt')) {
      expect(REASONS[reason].hint, reason).not.toBeNull();
    }
  });
});
