import { chooseAccount } from '../../client/choose-account.js';
import { readStatus } from '../../client/status.js';
import { AuthdError } from '../../errors.js';
import type { AccountStatus, StatusBody } from '../../protocol.js';
import { readVersion } from '../../version.js';
import type { Command, Invocation } from '../command.js';
import { EXIT } from '../exit-codes.js';
import type { Output } from '../output.js';
import { reachDaemon } from '../reach-daemon.js';
import { showRunning, showStopped } from '../show-status.js';

export const run: Command = async (invocation) => {
  const { account, env, json, output } = invocation;
  const socket = await reachDaemon(invocation);
  const status = await statusOrFailure(socket);
  if (status instanceof AuthdError) return reportStopped(invocation, socket, status);

  const accounts = choose(status.accounts, chooseAccount(account, env));
  if (json) await output.json({ ...status, daemon: 'running', accounts });
  else await output.data(showRunning({ ...status, accounts }, readVersion(), output.paint, Date.now()));
  hintAt(accounts, output);
  return exitCodeOfAll(accounts);
};

async function statusOrFailure(socket: string): Promise<StatusBody | AuthdError> {
  try {
    return await readStatus(socket);
  } catch (error) {
    if (error instanceof AuthdError && error.code === 'daemon_not_running') return error;
    throw error;
  }
}

async function reportStopped(
  { settings, account, env, json, output }: Invocation,
  socket: string,
  failure: AuthdError,
): Promise<number> {
  const { inspectAccounts } = await import('../../inspect.js');
  const accounts = await inspectAccounts({ flags: settings, env, account: chooseAccount(account, env) });
  if (json) await output.json({ schema: 1, daemon: 'not running', socket, accounts });
  else
    await output.data(
      showStopped(accounts, failure.message, socket, readVersion(), output.paint, Date.now()),
    );
  hintAt(accounts, output);
  if (failure.hint !== undefined) output.hint(failure.hint);
  return EXIT.notRunning;
}

function hintAt(accounts: readonly AccountStatus[], output: Output): void {
  for (const { account: name, hint, published } of accounts) {
    if (hint !== null) output.hint(accounts.length > 1 ? `${name}: ${hint}` : hint);
    for (const each of published) {
      if (each.state === 'failing' && each.hint !== null) output.hint(`${each.directory}: ${each.hint}`);
    }
  }
}

function choose(accounts: readonly AccountStatus[], name: string | undefined): readonly AccountStatus[] {
  if (name === undefined) return accounts;
  const chosen = accounts.filter((each) => each.account === name);
  if (chosen.length > 0) return chosen;
  throw new AuthdError('unknown_account', `the daemon keeps no account ${JSON.stringify(name)}`, {
    hint: `it keeps: ${accounts.map((each) => JSON.stringify(each.account)).join(', ')}`,
  });
}

/** A login that is needed counts more than what is still served, because only a person can put it right. */
function exitCodeOfAll(accounts: readonly AccountStatus[]): number {
  if (accounts.some(({ state }) => state === 'login_required' || state === 'logged_out')) {
    return EXIT.loginRequired;
  }
  return accounts.every(({ serving }) => serving) ? EXIT.ok : EXIT.failure;
}
