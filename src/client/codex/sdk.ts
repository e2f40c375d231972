/*
 * The options of the Codex SDK, as far as they matter here, in the SDK's own shapes (@openai/codex-sdk 0.163.0). Written
 * down instead of imported: the package is no dependency of ours, and hundreds of megabytes.
 */

/** A value in Codex's configuration. */
export type CodexConfigValue = string | number | boolean | CodexConfigValue[] | CodexConfig;

/** Overrides of Codex's configuration, by key; the SDK makes `--config` arguments of them. */
export interface CodexConfig {
  [key: string]: CodexConfigValue;
}

/** What `new Codex(…)` takes, but for `apiKey` and `baseUrl`. */
export interface SdkOptions {
  /** The program to run in place of the one that the SDK brings. */
  codexPathOverride?: string;
  config?: CodexConfig;
  /** Overrides in the form `key=value`; they win over `config`. */
  configOverrides?: string[];
  /** The whole environment of Codex; that of this process if absent. */
  env?: Record<string, string>;
}

/** Whether a value in the configuration is a table. */
export function isTable(value: CodexConfigValue | undefined): value is CodexConfig {
  return typeof value === 'object' && !Array.isArray(value);
}
