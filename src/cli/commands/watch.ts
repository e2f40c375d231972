import { chooseAccount } from '../../client/choose-account.js';
import { readEvents, type AuthdEvent } from '../../client/events.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { plain, type Output } from '../output.js';
import { reachDaemon } from '../reach-daemon.js';
import { describeExpiry, withoutToken } from '../show-credential.js';
import { formatTimeOfDay } from '../when.js';

export const run: Command = async (invocation) => {
  const { account, env, json, output } = invocation;
  const socket = await reachDaemon(invocation);
  const stop = new AbortController();
  const end = (): void => {
    stop.abort();
  };
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    for await (const event of readEvents({
      socket,
      account: chooseAccount(account, env),
      signal: stop.signal,
    })) {
      await (json ? output.json(eventRecord(event, Date.now())) : show(event, Date.now(), output));
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  return EXIT.ok;
};

function show(event: AuthdEvent, nowMs: number, output: Output): Promise<void> {
  const time = formatTimeOfDay(nowMs);
  if (event.event === 'credential') {
    const { generation, expires_at: expiresAt } = event.data;
    const expiry = describeExpiry(expiresAt, nowMs);
    return output.data(`${time} credential generation ${String(generation)} ${expiry}\n`);
  }
  const { state, detail } = event.data;
  return output.data(`${time} state ${plain(state)}: ${plain(detail)}\n`);
}

function eventRecord(event: AuthdEvent, nowMs: number): object {
  const data = event.event === 'credential' ? withoutToken(event.data) : event.data;
  return { at: new Date(nowMs).toISOString(), event: event.event, ...data };
}
