import type { Environment } from '../os/paths.js';

/**
 * The account that is meant: as the caller names it, else `$CODEX_AUTHD_ACCOUNT`, unless that is empty. Undefined where
 * nobody names one, which the daemon takes for `default`.
 */
export function chooseAccount(named: string | undefined, env: Environment): string | undefined {
  const { CODEX_AUTHD_ACCOUNT: outer } = env;
  return named ?? (outer === '' ? undefined : outer);
}
