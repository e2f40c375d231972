import { AuthdError } from '../errors.js';
import { DEFAULT_ACCOUNT } from '../protocol.js';
import type { Config } from './schema.js';

type Publishing = Pick<Config, 'publish'>;

/** The directories in which `[[publish]]` wants an account. */
export function publishedDirectories({ publish = [] }: Publishing, account: string): readonly string[] {
  return publish.filter((each) => accountOf(each) === account).map(({ directory }) => directory);
}

/**
 * The accounts, if each `[[publish]]` names one of them and a directory of its own.
 *
 * @throws AuthdError `bad_configuration`
 */
export function checkPublications<Account extends { readonly name: string }>(
  accounts: readonly Account[],
  { publish = [] }: Publishing,
): readonly Account[] {
  const seen = new Set<string>();
  for (const each of publish) {
    if (!accounts.some(({ name }) => name === accountOf(each))) {
      throw new AuthdError(
        'bad_configuration',
        `[[publish]] names an account that is not there: ${accountOf(each)}`,
        {
          hint: `the accounts are ${accounts.map(({ name }) => name).join(', ')}`,
        },
      );
    }
    if (seen.has(each.directory)) {
      throw new AuthdError('bad_configuration', `two [[publish]] name the directory ${each.directory}`, {
        hint: 'publish each account into a directory of its own',
      });
    }
    seen.add(each.directory);
  }
  return accounts;
}

function accountOf({ account = DEFAULT_ACCOUNT }: { readonly account?: string | undefined }): string {
  return account;
}
