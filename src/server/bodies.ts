import type { PublishedCredential } from '../core/credential.js';
import type { KeeperSnapshot, PublicationFacts } from '../keeper/snapshot.js';
import type { AccountStatus, CredentialBody, HealthBody, PublicationStatus } from '../protocol.js';

/** The credential as a consumer gets it: the only place where the server reveals a token, beside `/v1/token`. */
export function credentialBody(account: string, credential: PublishedCredential): CredentialBody {
  return {
    account,
    access_token: credential.accessToken.reveal(),
    token_type: 'Bearer',
    expires_at: instantOrNull(credential.expiresAtMs),
    account_id: credential.accountId,
    plan: credential.plan,
    generation: credential.generation,
    fingerprint: credential.accessToken.fingerprint,
    base_url: credential.baseUrl,
  };
}

/** All that may be known of an account without a token. */
export function accountStatus(snapshot: KeeperSnapshot): AccountStatus {
  const { state, login } = snapshot;
  return {
    account: snapshot.account,
    state: state.name,
    reason: state.reason,
    detail: state.detail,
    hint: state.hint,
    serving: state.serving,
    serves_until: instantOrNull(state.servesUntilMs),
    login: login?.kind ?? null,
    email: login?.email ?? null,
    account_id: login?.accountId ?? null,
    plan: login?.plan ?? null,
    generation: login?.generation ?? null,
    fingerprint: login?.fingerprint ?? null,
    issued_at: instantOrNull(login?.issuedAtMs),
    expires_at: instantOrNull(login?.expiresAtMs),
    next_rotation_at: instantOrNull(snapshot.nextRotationAtMs),
    last_rotation_at: instantOrNull(snapshot.lastRotationAtMs),
    written_by: login?.writtenBy ?? null,
    written_at: instantOrNull(login?.writtenAtMs),
    auth_file: snapshot.authFile,
    token_endpoint: snapshot.tokenEndpoint,
    clock_offset_seconds: Math.round(snapshot.clockOffsetMs / 1000),
    counts: { ...snapshot.counts },
    published: snapshot.published.map(publicationStatus),
  };
}

function publicationStatus({ directory, path, source, condition }: PublicationFacts): PublicationStatus {
  const { name, detail, hint, generation, fingerprint } = condition;
  return { directory, auth_file: path, source, state: name, detail, hint, generation, fingerprint };
}

export function healthBody({ account, state }: KeeperSnapshot): HealthBody {
  return { account, state: state.name, reason: state.reason, detail: state.detail };
}

const FIRST_MS = Date.parse('0000-01-01T00:00:00.000Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** RFC 3339, whose years have four digits: what a claim puts outside of them is moved to their edge. */
export function instant(ms: number): string {
  return new Date(Math.min(Math.max(ms, FIRST_MS), LAST_MS)).toISOString();
}

export function instantOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : instant(ms);
}
