import { CODEX_BASE_URLS, type BaseUrls } from '../core/base-urls.js';
import { DEFAULT_POLICY, type RefreshPolicy } from '../core/plan.js';
import type { BodyFormat } from '../token-endpoint/request-body.js';
import type { AccountTable } from './schema.js';
import { checkBaseUrl, checkTokenEndpoint } from './urls.js';

/** Everything that can be set for an account, beside its name and its place. */
export interface AccountSettings {
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly bodyFormat: BodyFormat;
  readonly scope: string | null;
  readonly baseUrls: BaseUrls;
  readonly policy: RefreshPolicy;
}

/** What Codex uses (facts 2.1). */
const CODEX_TOKEN_ENDPOINT = 'https://auth.openai.com/oauth/token';
const CODEX_CLIENT_ID = 'app_EMoamEEZ73f0CkXaXp7hrann';

/**
 * The settings in a table, with Codex's own for what it leaves out.
 *
 * @throws AuthdError `bad_configuration`
 */
export function readAccountSettings(table: AccountTable): AccountSettings {
  return {
    tokenEndpoint: checkTokenEndpoint(table.token_endpoint ?? CODEX_TOKEN_ENDPOINT),
    clientId: table.client_id ?? CODEX_CLIENT_ID,
    bodyFormat: table.body_format ?? 'json',
    scope: table.scope ?? null,
    baseUrls: {
      chatgpt: chooseBaseUrl('chatgpt_base_url', table) ?? CODEX_BASE_URLS.chatgpt,
      platform: chooseBaseUrl('platform_base_url', table) ?? CODEX_BASE_URLS.platform,
    },
    policy: readPolicy(table),
  };
}

function readPolicy(settings: AccountTable): RefreshPolicy {
  const ms = (seconds: number | undefined, fallbackMs: number): number =>
    seconds === undefined ? fallbackMs : seconds * 1000;
  const base = DEFAULT_POLICY;
  return {
    leadFraction: settings.lead_fraction ?? base.leadFraction,
    leadMinMs: ms(settings.lead_min_seconds, base.leadMinMs),
    leadMaxMs: ms(settings.lead_max_seconds, base.leadMaxMs),
    jitterFraction: settings.jitter_fraction ?? base.jitterFraction,
    minAgeMs: ms(settings.min_age_seconds, base.minAgeMs),
    unreadableExpiryAfterMs: ms(settings.unreadable_expiry_after_seconds, base.unreadableExpiryAfterMs),
    lastSafeMomentMs: ms(settings.last_safe_moment_seconds, base.lastSafeMomentMs),
    backoffMinMs: ms(settings.backoff_min_seconds, base.backoffMinMs),
    backoffMaxMs: ms(settings.backoff_max_seconds, base.backoffMaxMs),
    offlineRetryMs: ms(settings.offline_retry_seconds, base.offlineRetryMs),
    demandIntervalMs: ms(settings.demand_interval_seconds, base.demandIntervalMs),
    rejectionIntervalMs: ms(settings.rejection_interval_seconds, base.rejectionIntervalMs),
  };
}

function chooseBaseUrl(
  setting: 'chatgpt_base_url' | 'platform_base_url',
  table: AccountTable,
): string | undefined {
  const url = table[setting];
  return url === undefined ? undefined : checkBaseUrl(setting, url);
}
