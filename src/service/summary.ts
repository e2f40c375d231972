/** What is told of one account. */
export interface AccountSentence {
  readonly account: string;
  /** The keeper's state. */
  readonly state: string;
  readonly detail: string;
}

/** All accounts in one line, the only one by itself: `fresh: the access token is valid`. */
export function summarize(accounts: readonly AccountSentence[]): string {
  const [only] = accounts;
  if (only === undefined) return 'no account is kept';
  if (accounts.length === 1) return `${only.state}: ${only.detail}`;
  return accounts.map(({ account, state, detail }) => `${account} ${state}: ${detail}`).join('; ');
}
