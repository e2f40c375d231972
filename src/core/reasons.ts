import type { UnservedCode } from '../errors.js';

/** What a keeper can be in. Exactly one at a time. */
export type StateName =
  'fresh' | 'refreshing' | 'degraded' | 'login_required' | 'logged_out' | 'unsupported' | 'corrupt';

interface Reason {
  readonly state: StateName;
  /** What a person should do next; null where the daemon does it. */
  readonly hint: string | null;
}

const LOGIN = 'run `codex login`';
const WAIT = 'nothing to do: the daemon goes on trying';

/** Every reason, with the one state that it belongs to. */
export const REASONS = {
  valid: { state: 'fresh', hint: null },
  does_not_expire: { state: 'fresh', hint: null },
  expiry_unknown: { state: 'fresh', hint: null },

  rotation_in_flight: { state: 'refreshing', hint: null },

  server_error: { state: 'degraded', hint: WAIT },
  rate_limited: { state: 'degraded', hint: WAIT },
  refused: { state: 'degraded', hint: 'check `token_endpoint`, `client_id` and `body_format`' },
  redirected: {
    state: 'degraded',
    hint: 'set `token_endpoint` to the address that answers without a redirect',
  },
  unreachable: { state: 'degraded', hint: 'check the network, the proxy and `token_endpoint`' },
  offline: { state: 'degraded', hint: 'check the network connection' },
  outcome_unknown: {
    state: 'degraded',
    hint: 'nothing to do yet: asking again too early could end the login',
  },
  no_access_token: { state: 'degraded', hint: WAIT },
  issued_expired: { state: 'degraded', hint: 'check the clock of this machine' },
  not_stored: {
    state: 'degraded',
    hint: 'free space or make the directory writable; do not stop the daemon',
  },
  storage_unavailable: { state: 'degraded', hint: 'free space or make the directory of auth.json writable' },
  locked_elsewhere: { state: 'degraded', hint: 'stop the other daemon that keeps this auth.json' },
  expired: { state: 'degraded', hint: null },
  internal_error: { state: 'degraded', hint: 'report this with the log; the daemon goes on trying' },

  refresh_token_rejected: { state: 'login_required', hint: LOGIN },
  refresh_token_spent: { state: 'login_required', hint: LOGIN },

  shared_login: {
    state: 'login_required',
    hint: 'run `codex login` with the CODEX_HOME of this account: a login works in one home only',
  },

  no_file: { state: 'logged_out', hint: LOGIN },
  no_login: { state: 'logged_out', hint: LOGIN },

  keyring: { state: 'unsupported', hint: 'set `cli_auth_credentials_store = "file"` and run `codex login`' },
  agent_identity: { state: 'unsupported', hint: LOGIN },
  bedrock: { state: 'unsupported', hint: LOGIN },
  headers: { state: 'unsupported', hint: LOGIN },
  published_file: { state: 'unsupported', hint: 'ask the daemon that publishes this file instead' },
  no_refresh_token: { state: 'unsupported', hint: LOGIN },
  unknown_mode: { state: 'unsupported', hint: 'update codex-authd, or run `codex login`' },

  not_json: { state: 'corrupt', hint: LOGIN },
  not_utf8: { state: 'corrupt', hint: LOGIN },
  byte_order_mark: { state: 'corrupt', hint: 'save auth.json without a byte order mark' },
  too_large: { state: 'corrupt', hint: LOGIN },
  wrong_shape: { state: 'corrupt', hint: LOGIN },
  mixed_accounts: { state: 'corrupt', hint: LOGIN },
  not_a_file: { state: 'corrupt', hint: 'move what lies there away, then run `codex login`' },
  unreadable: { state: 'corrupt', hint: 'make auth.json readable for the user that runs the daemon' },
} as const satisfies Record<string, Reason>;

/** Why a keeper is in its state: a stable code, to be compared by programs. */
export type ReasonCode = keyof typeof REASONS;

/** The reason codes that belong to one state. */
export type ReasonOf<S extends StateName> = {
  [R in ReasonCode]: (typeof REASONS)[R]['state'] extends S ? R : never;
}[ReasonCode];

/** The problem code for a state in which nothing can be served. */
export function unservedCode(state: StateName): UnservedCode {
  switch (state) {
    case 'login_required':
    case 'logged_out':
    case 'unsupported':
    case 'corrupt':
      return state;
    case 'fresh':
    case 'refreshing':
    case 'degraded':
      return 'unavailable';
  }
}
