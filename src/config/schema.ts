import * as v from 'valibot';

const Seconds = v.pipe(v.number(), v.finite(), v.minValue(0));
const Interval = v.pipe(v.number(), v.finite(), v.minValue(0.1));
const Fraction = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const Text = v.pipe(v.string(), v.nonEmpty());

/** The settings of an account. */
const accountSettings = {
  token_endpoint: v.optional(Text),
  client_id: v.optional(Text),
  body_format: v.optional(v.picklist(['json', 'form'])),
  scope: v.optional(Text),
  chatgpt_base_url: v.optional(Text),
  platform_base_url: v.optional(Text),
  lead_fraction: v.optional(Fraction),
  lead_min_seconds: v.optional(Seconds),
  lead_max_seconds: v.optional(Seconds),
  jitter_fraction: v.optional(Fraction),
  min_age_seconds: v.optional(Seconds),
  unreadable_expiry_after_seconds: v.optional(Seconds),
  last_safe_moment_seconds: v.optional(Seconds),
  backoff_min_seconds: v.optional(Interval),
  backoff_max_seconds: v.optional(Interval),
  offline_retry_seconds: v.optional(Interval),
  demand_interval_seconds: v.optional(Seconds),
  rejection_interval_seconds: v.optional(Seconds),
};

/** A directory in which an account's credential is published; `account` is the default one if absent. */
const Publication = v.strictObject({ directory: Text, account: v.optional(Text) });

/** The configuration file. */
export const ConfigSchema = v.strictObject({
  ...accountSettings,
  codex_home: v.optional(Text),
  socket: v.optional(Text),
  publish: v.optional(v.array(Publication)),
  log_level: v.optional(v.picklist(['debug', 'info', 'warn', 'error'])),
});

export type Config = v.InferOutput<typeof ConfigSchema>;
