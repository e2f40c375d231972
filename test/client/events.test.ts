import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ANSWER_MARGIN_MS } from '../../src/client/deadline.js';
import { readEvents } from '../../src/client/events.js';
import { ACCOUNT, CREDENTIAL, event, startScriptedDaemon, type Handler } from '../cli/scripted-daemon.js';
import { scratchDir } from '../support/scratch-dir.js';

async function serve(handler: Handler): Promise<string> {
  const daemon = await startScriptedDaemon(join(await scratchDir(), 's'), { 'GET /v1/events': handler });
  onTestFinished(daemon.close);
  return daemon.socket;
}

function stream(...texts: string[]): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    for (const text of texts) response.write(text);
  };
}

describe('the events of an account', () => {
  it('come one after the other, however the bytes were cut', async () => {
    const bytes = Buffer.from(
      `: hello\n\nretry: 1000\n${event('state', { ...ACCOUNT, plan: 'größer' })}${event('credential', CREDENTIAL)}`,
    );
    const socket = await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
      response.socket?.setNoDelay(true);
      for (const byte of bytes) response.write(Buffer.from([byte]));
    });
    const events = readEvents({ socket });
    expect(await events.next()).toEqual({
      done: false,
      value: { event: 'state', data: { ...ACCOUNT, plan: 'größer' } },
    });
    expect(await events.next()).toEqual({ done: false, value: { event: 'credential', data: CREDENTIAL } });
    await events.return(undefined as never);
  });

  it('end when the loop is left: the connection is closed', async () => {
    let closed: Promise<unknown> | undefined;
    const socket = await serve((request, response) => {
      closed = once(request.socket, 'close');
      stream(event('state', ACCOUNT))(request, response);
    });
    for await (const { event: name } of readEvents({ socket })) {
      expect(name).toBe('state');
      break;
    }
    expect(closed).toBeDefined();
    await closed;
  });

  it('end with the reason of the caller, who gives up while waiting for the next one', async () => {
    const socket = await serve(stream(event('state', ACCOUNT)));
    const controller = new AbortController();
    const events = readEvents({ socket, signal: controller.signal });
    await events.next();
    const next = events.next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });

  it('never begin if the daemon does not answer in time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const socket = await serve(() => {
      vi.advanceTimersByTime(ANSWER_MARGIN_MS);
    });
    await expect(readEvents({ socket }).next()).rejects.toMatchObject({ code: 'timeout' });
  });

  it('may be as far apart as they like, once they have begun', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    let send = (): void => undefined;
    const socket = await serve((request, response) => {
      stream(event('state', ACCOUNT))(request, response);
      send = () => {
        response.write(event('credential', CREDENTIAL));
      };
    });
    const events = readEvents({ socket });
    await events.next();
    vi.advanceTimersByTime(1000 * ANSWER_MARGIN_MS);
    send();
    expect(await events.next()).toMatchObject({ value: { event: 'credential' } });
    await events.return(undefined as never);
  });

  it('end with daemon_not_running when the daemon breaks off', async () => {
    let breakOff = (): void => undefined;
    const socket = await serve((request, response) => {
      stream(event('state', ACCOUNT))(request, response);
      breakOff = () => {
        response.destroy();
      };
    });
    const events = readEvents({ socket });
    await events.next();
    breakOff();
    await expect(events.next()).rejects.toMatchObject({ code: 'daemon_not_running' });
  });
});
