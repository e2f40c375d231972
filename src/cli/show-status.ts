import type { AccountStatus, PublicationStatus, StatusBody } from '../protocol.js';
import { plain, type Colour, type Paint } from './output.js';
import { formatRelative, formatSpan, formatWhen } from './when.js';

type Row = readonly [label: string, value: string];

/** The status of a running daemon: for each account the verdict and its lines, then the daemon's own. */
export function showRunning(status: StatusBody, cliVersion: string, paint: Paint, nowMs: number): string {
  const several = status.accounts.length > 1;
  const blocks = status.accounts.map((account) => {
    if (several) return namedBlock(account, paint, nowMs);
    return block(verdict(account, paint), accountRows(account, nowMs));
  });
  const since = formatRelative(status.started_at, nowMs);
  const daemon = `${plain(status.version)} (pid ${String(status.pid)}, node ${plain(status.node)}), started ${since}`;
  const rows: Row[] = [
    ['socket', plain(status.socket)],
    ...locks(status),
    ['daemon', daemon],
    ['command line', `${cliVersion} (node ${process.version})`],
  ];
  if (several || blocks.length === 0) return [...blocks, block('daemon', rows)].join('\n');
  return `${blocks.join('')}${lines(rows)}`;
}

/** The status without a daemon: what can be told from the files. */
export function showStopped(
  accounts: readonly AccountStatus[],
  message: string,
  socket: string,
  cliVersion: string,
  paint: Paint,
  nowMs: number,
): string {
  const title = `${paint('red', 'not running')}: ${plain(message)}`;
  const rows: Row[] = [
    ['socket', plain(socket)],
    ['command line', `${cliVersion} (node ${process.version})`],
  ];
  const [only] = accounts;
  if (only !== undefined && accounts.length === 1) {
    return block(title, [['auth.json', verdict(only, paint)], ...accountRows(only, nowMs), ...rows]);
  }
  return [block(title, rows), ...accounts.map((account) => namedBlock(account, paint, nowMs))].join('\n');
}

function namedBlock(account: AccountStatus, paint: Paint, nowMs: number): string {
  return block(`${plain(account.account)}: ${verdict(account, paint)}`, accountRows(account, nowMs));
}

function verdict({ state, detail, serving }: AccountStatus, paint: Paint): string {
  return `${paint(colourOf(state, serving), plain(state))}: ${plain(detail)}`;
}

function colourOf(state: string, serving: boolean): Colour {
  if (state === 'fresh') return 'green';
  return serving ? 'yellow' : 'red';
}

function accountRows(account: AccountStatus, nowMs: number): Row[] {
  const offsetMs = account.clock_offset_seconds * 1000;
  const when = (instant: string): string => formatWhen(instant, nowMs + offsetMs);
  const rows: Row[] = [];
  const add = (label: string, value: string | null): void => {
    if (value !== null) rows.push([label, value]);
  };
  add('account', accountName(account));
  add('plan', account.plan === null ? null : plain(account.plan));
  if (account.login !== null) {
    const unlimited = account.reason === 'does_not_expire' ? 'never' : 'not known';
    add('expires', account.expires_at === null ? unlimited : when(account.expires_at));
  }
  if (account.serving && account.state !== 'fresh' && account.serves_until !== null) {
    add('served until', when(account.serves_until));
  }
  if (account.login === 'chatgpt') {
    add('next rotation', account.next_rotation_at === null ? 'none planned' : when(account.next_rotation_at));
    add('last rotation', account.last_rotation_at === null ? 'none yet' : when(account.last_rotation_at));
  }
  add('written by', writer(account, nowMs));
  add('clock', clock(offsetMs));
  add('rotations', rotations(account));
  add('auth file', plain(account.auth_file));
  for (const each of account.published) add('published in', publication(each));
  return rows;
}

/** What is as it should be needs no words. */
function publication({ directory, state, detail }: PublicationStatus): string {
  return state === 'published' ? plain(directory) : plain(`${directory} (${state}: ${detail})`);
}

function accountName({ login, email, account_id: id }: AccountStatus): string | null {
  if (login === null) return null;
  if (login === 'api_key') return 'an API key';
  if (login === 'personal_access_token') return 'a personal access token';
  if (email !== null) return id === null ? plain(email) : `${plain(email)} (${plain(id)})`;
  return id === null ? 'not named in the login' : plain(id);
}

function writer({ written_by: by, written_at: at }: AccountStatus, nowMs: number): string | null {
  if (by === null) return null;
  return at === null ? plain(by) : `${plain(by)}, ${formatRelative(at, nowMs)}`;
}

function locks(status: StatusBody): Row[] {
  if (status.locks === 'flock') return [];
  return [['locks', `${plain(status.locks)}, without koffi: Codex's own locks cannot be taken`]];
}

/** Null where there were none: a daemon that has just started has nothing to tell, nor has one that does not run. */
function rotations({ counts }: AccountStatus): string | null {
  const { own, adopted, requests, failures } = counts;
  if (own + adopted + requests === 0) return null;
  const asked = `${String(requests)} ${requests === 1 ? 'request' : 'requests'}, ${String(failures)} failed`;
  return `${String(own)} by this daemon, ${String(adopted)} by others (${asked}) since it started`;
}

/** A minute more or less is not worth a line. */
function clock(offsetMs: number): string | null {
  if (Math.abs(offsetMs) <= 60_000) return null;
  return `${formatSpan(offsetMs)} ${offsetMs > 0 ? 'behind' : 'ahead of'} the server's`;
}

function block(title: string, rows: readonly Row[]): string {
  return `${title}\n${lines(rows)}`;
}

function lines(rows: readonly Row[]): string {
  // Wide enough for every label there is, so that the blocks of several accounts line up.
  return rows.map(([label, value]) => `  ${label.padEnd(13)}  ${value}\n`).join('');
}
