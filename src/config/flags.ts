/** The settings that the command line can give; they win over the environment and the configuration file. */
export interface SettingFlags {
  /** `--codex-home`: the directory of auth.json. */
  readonly codexHome?: string;
  /** `--socket`: the path of the Unix socket. */
  readonly socket?: string;
  /** `--config`: the configuration file; it must exist. */
  readonly config?: string;
  /** `--log-level`: `debug`, `info`, `warn` or `error`. */
  readonly logLevel?: string;
}
