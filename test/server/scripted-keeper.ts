import type { PublishedCredential } from '../../src/core/credential.js';
import { REASONS, type ReasonCode } from '../../src/core/reasons.js';
import { Secret } from '../../src/core/secret.js';
import type { KeeperState } from '../../src/core/state.js';
import type {
  CredentialKeeper,
  CredentialRequest,
  KeeperEvent,
  KeeperSnapshot,
  LoginFacts,
  Published,
  PublishRequest,
  RejectionRequest,
  Unpublished,
} from '../../src/keeper/snapshot.js';
import type { RotationCounts } from '../../src/protocol.js';

type UnpublishRequest = Pick<PublishRequest, 'directory' | 'waitMs' | 'signal'>;
type RefreshRequest = Pick<CredentialRequest, 'waitMs' | 'signal'>;

/** A keeper that says what a test tells it to say, and remembers what it was asked. */
export interface ScriptedKeeper extends CredentialKeeper {
  readonly asked: CredentialRequest[];
  readonly refreshed: RefreshRequest[];
  readonly reported: RejectionRequest[];
  readonly published: PublishRequest[];
  readonly unpublished: UnpublishRequest[];
  /** How many listen. */
  readonly listeners: number;
  onCredential: (request: CredentialRequest) => Promise<PublishedCredential>;
  onRefresh: (request: RefreshRequest) => Promise<PublishedCredential>;
  onRejected: (request: RejectionRequest) => Promise<PublishedCredential>;
  onPublish: (request: PublishRequest) => Promise<Published>;
  onUnpublish: (request: UnpublishRequest) => Promise<Unpublished>;
  /** What the snapshot shows from now on. Tells nobody. */
  set(change: Partial<KeeperSnapshot>): void;
  emit(event: KeeperEvent): void;
  /** Makes it the current credential and tells everybody. */
  renew(credential: PublishedCredential): void;
}

const ISSUED_AT_MS = Date.parse('2026-11-22T11:00:00Z');
const EXPIRES_AT_MS = Date.parse('2026-12-02T11:00:00Z');

export function makeCredential(
  change: Partial<PublishedCredential> & { token?: string } = {},
): PublishedCredential {
  const { token = 'token-of-generation-7', ...rest } = change;
  return {
    accessToken: new Secret(token),
    expiresAtMs: EXPIRES_AT_MS,
    issuedAtMs: ISSUED_AT_MS,
    accountId: 'acct-1',
    plan: 'pro',
    baseUrl: 'https://chatgpt.com/backend-api/codex',
    generation: 7,
    ...rest,
  };
}

export function makeState(reason: ReasonCode, change: Partial<KeeperState> = {}): KeeperState {
  const { state, hint } = REASONS[reason];
  const serving = state === 'fresh';
  return {
    name: state,
    reason,
    detail: `this is ${reason}`,
    hint,
    serving,
    servesUntilMs: serving ? EXPIRES_AT_MS : null,
    ...change,
  };
}

function makeLogin(credential: PublishedCredential): LoginFacts {
  return {
    kind: 'chatgpt',
    email: 'ada@example.com',
    accountId: credential.accountId,
    plan: credential.plan,
    fingerprint: credential.accessToken.fingerprint,
    generation: credential.generation,
    issuedAtMs: credential.issuedAtMs,
    expiresAtMs: credential.expiresAtMs,
    writtenBy: 'codex-authd',
    writtenAtMs: ISSUED_AT_MS,
  };
}

const NO_COUNTS: RotationCounts = { own: 0, adopted: 0, requests: 0, failures: 0, rejections: 0 };

export function createScriptedKeeper(account = 'default', now = (): number => ISSUED_AT_MS): ScriptedKeeper {
  const asked: CredentialRequest[] = [];
  const refreshed: RefreshRequest[] = [];
  const reported: RejectionRequest[] = [];
  const published: PublishRequest[] = [];
  const unpublished: UnpublishRequest[] = [];
  const listeners = new Set<(event: KeeperEvent) => void>();
  const first = makeCredential();
  let snapshot: KeeperSnapshot = {
    account,
    state: makeState('valid'),
    credential: first,
    login: makeLogin(first),
    nextRotationAtMs: Date.parse('2026-11-29T23:00:00Z'),
    lastRotationAtMs: ISSUED_AT_MS,
    authFile: '/home/ada/.codex/auth.json',
    tokenEndpoint: 'https://auth.openai.com/oauth/token',
    counts: NO_COUNTS,
    clockOffsetMs: 0,
    published: [],
  };

  const keeper: ScriptedKeeper = {
    account,
    asked,
    refreshed,
    reported,
    published,
    unpublished,
    get listeners() {
      return listeners.size;
    },
    onCredential: () => current(),
    onRefresh: () => current(),
    onRejected: () => current(),
    async onPublish({ directory }) {
      const { generation, accessToken, expiresAtMs } = await current();
      const { fingerprint } = accessToken;
      return { directory, path: `${directory}/auth.json`, generation, fingerprint, expiresAtMs };
    },
    onUnpublish: ({ directory }) =>
      Promise.resolve({ directory, path: `${directory}/auth.json`, removed: true }),
    now,
    snapshot: () => snapshot,
    credential(request) {
      asked.push(request);
      return keeper.onCredential(request);
    },
    refresh(request) {
      refreshed.push(request);
      return keeper.onRefresh(request);
    },
    rejected(request) {
      reported.push(request);
      return keeper.onRejected(request);
    },
    publish(request) {
      published.push(request);
      return keeper.onPublish(request);
    },
    unpublish(request) {
      unpublished.push(request);
      return keeper.onUnpublish(request);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set(change) {
      snapshot = { ...snapshot, ...change };
    },
    emit(event) {
      for (const listener of listeners) listener(event);
    },
    renew(credential) {
      keeper.set({ credential, login: makeLogin(credential) });
      keeper.emit({ type: 'credential', credential });
    },
  };

  function current(): Promise<PublishedCredential> {
    const { credential } = snapshot;
    return credential === null
      ? Promise.reject(new Error('the test took the credential away'))
      : Promise.resolve(credential);
  }
  return keeper;
}
