import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { endpoint, ignore, TOKEN, treating } from './scene.js';

const SECOND_MS = 1000;
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n';
const BODY = '{"access_token":"abc"}';
const IN_TIME = { kind: 'answered', body: BODY };
const TOO_LATE = { kind: 'lost', message: 'no answer in time' };

describe('an answer', () => {
  it('is lost when it does not come in time', async () => {
    const url = await treating(() => undefined);
    expect(await endpoint(url, { longestAnswerMs: 200 }).send(TOKEN, ignore)).toEqual(TOO_LATE);
  });

  it('is lost when it begins in time and does not end', async () => {
    const url = await treating((socket) => socket.write(`${HEAD}{`));
    expect(await endpoint(url, { longestAnswerMs: 200 }).send(TOKEN, ignore)).toEqual(TOO_LATE);
  });

  it('has all of its time, however long the way to the server was', async () => {
    const url = await treating((socket) => setTimeout(() => socket.end(HEAD + BODY), 800));
    const dawdling = (): Promise<boolean> => pause(1500, true);
    const patience = { longestWayMs: 2000, longestAnswerMs: 2000 };
    expect(await endpoint(url, patience).send(TOKEN, ignore, dawdling)).toMatchObject(IN_TIME);
  });

  it('has its own time also where the way has less', async () => {
    const url = await treating((socket) => setTimeout(() => socket.end(HEAD + BODY), 1500));
    const patience = { longestWayMs: 500, longestAnswerMs: 5000 };
    expect(await endpoint(url, patience).send(TOKEN, ignore)).toMatchObject(IN_TIME);
  });
});

describe('a token', () => {
  it('was certainly never sent when there is no way to the server in time', async () => {
    const url = await treating(() => undefined);
    const dawdling = (): Promise<boolean> => pause(2000, true);
    expect(await endpoint(url, { longestWayMs: 200 }).send(TOKEN, ignore, dawdling)).toMatchObject({
      kind: 'never_sent',
    });
  });
});

describe('by itself', () => {
  // The deadline counts with an interval; the network and undici do not.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
  });

  it('the way to the server may take half a minute', async () => {
    const url = await treating((socket) => socket.end(HEAD + BODY));
    const after = (seconds: number) => (): Promise<boolean> => {
      vi.advanceTimersByTime(seconds * SECOND_MS);
      return nextTurn(true);
    };
    expect(await endpoint(url).send(TOKEN, ignore, after(29))).toMatchObject(IN_TIME);
    expect(await endpoint(url).send(TOKEN, ignore, after(31))).toMatchObject({ kind: 'never_sent' });
    // Who gave up does not start to wait for an answer.
    expect(vi.getTimerCount()).toBe(0);
  });

  it('an answer may take longer than the two minutes after which a CDN gives up', async () => {
    const connections: Socket[] = [];
    const url = await treating((socket) => connections.push(socket));
    const answer = endpoint(url).send(TOKEN, ignore);
    await vi.waitUntil(() => connections.length === 1);
    vi.advanceTimersByTime(100 * SECOND_MS);
    connections[0]?.write(HEAD);
    vi.advanceTimersByTime(49 * SECOND_MS);
    connections[0]?.end(BODY);
    expect(await answer).toMatchObject(IN_TIME);
  });

  it('an answer that takes longer than that is lost', async () => {
    const connections: Socket[] = [];
    const url = await treating((socket) => connections.push(socket));
    const answer = endpoint(url).send(TOKEN, ignore);
    await vi.waitUntil(() => connections.length === 1);
    vi.advanceTimersByTime(151 * SECOND_MS);
    expect(await answer).toEqual(TOO_LATE);
  });
});
