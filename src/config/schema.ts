import * as v from 'valibot';

const Seconds = v.pipe(v.number(), v.finite(), v.minValue(0));
const Interval = v.pipe(v.number(), v.finite(), v.minValue(0.1));
const Fraction = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const Text = v.pipe(v.string(), v.nonEmpty());

/** What every account may have for itself; at the top of the file they are the defaults of all of them. */
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

/** One `[[account]]` of the configuration file. */
const AccountSchema = v.strictObject({
  // Checked where every name is: names of files are made of it.
  name: Text,
  codex_home: v.optional(Text),
  ...accountSettings,
});
/** A directory in which an account's credential is published; `account` is the default one if absent. */
const Publication = v.strictObject({ directory: Text, account: v.optional(Text) });

/** The configuration file. */
export const ConfigSchema = v.strictObject({
  ...accountSettings,
  codex_home: v.optional(Text),
  socket: v.optional(Text),
  publish: v.optional(v.array(Publication)),
  log_level: v.optional(v.picklist(['debug', 'info', 'warn', 'error'])),
  rotation_gap_seconds: v.optional(Seconds),
  notifications: v.optional(v.boolean()),
  on_event: v.optional(v.tupleWithRest([Text], Text)),
  on_event_token: v.optional(v.boolean()),
  account: v.optional(v.array(AccountSchema)),
});

export type Config = v.InferOutput<typeof ConfigSchema>;

/** The settings of one account as they stand in the file. */
export type AccountTable = Omit<v.InferOutput<typeof AccountSchema>, 'name'>;

/** The settings that may stand at the top of the file, or in one of its tables. */
export function settingsOf(table: 'account' | null): readonly string[] {
  return Object.keys((table === null ? ConfigSchema : AccountSchema).entries);
}
