/** Who is told what happens. */
export interface NoticeSettings {
  /** Whether a notification appears on the desktop when a person has to log in. */
  readonly desktop: boolean;
  /** The command that is run at each event, with its arguments; null for none. */
  readonly onEvent: readonly [string, ...string[]] | null;
  /** Whether that command is given the access token as well. */
  readonly withToken: boolean;
}
