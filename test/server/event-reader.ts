import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { request, type IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import type { AccountStatus, CredentialBody } from '../../src/protocol.js';

/** A client of `/v1/events`, with a parser that is not ours. */
export interface EventReader {
  readonly response: IncomingMessage;
  readonly events: EventSourceMessage[];
  readonly comments: string[];
  readonly retries: number[];
  /** Resolves when this many events have been received in all. */
  received(count: number): Promise<EventSourceMessage[]>;
  /** Resolves when the stream is over; true if it ended as a stream should. */
  readonly over: Promise<boolean>;
}

export async function readEvents(socketPath: string, query = ''): Promise<EventReader> {
  const response = await open(socketPath, `/v1/events${query}`);
  const events: EventSourceMessage[] = [];
  const comments: string[] = [];
  const retries: number[] = [];
  const watchers = new Set<() => void>();
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: (comment) => comments.push(comment),
    onRetry: (ms) => retries.push(ms),
    onError: (error) => {
      throw error;
    },
  });
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    parser.feed(chunk);
    for (const watch of watchers) watch();
  });
  response.on('error', () => undefined);
  const over = new Promise<boolean>((resolve) => {
    response.once('close', () => {
      resolve(response.complete);
    });
  });
  return {
    response,
    events,
    comments,
    retries,
    over,
    received: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (events.length < count) return;
          watchers.delete(look);
          resolve(events);
        };
        watchers.add(look);
        void over.then(() => {
          reject(new Error(`the stream ended after ${String(events.length)} events`));
        });
        look();
      }),
  };
}

export function credentialOf(event: EventSourceMessage | undefined): CredentialBody {
  if (event?.event !== 'credential') throw new Error(`not a credential event: ${JSON.stringify(event)}`);
  return JSON.parse(event.data) as CredentialBody;
}

export function stateOf(event: EventSourceMessage | undefined): AccountStatus {
  if (event?.event !== 'state') throw new Error(`not a state event: ${JSON.stringify(event)}`);
  return JSON.parse(event.data) as AccountStatus;
}

function open(socketPath: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false, headers: { Host: 'localhost' } }, resolve);
    onTestFinished(() => void asked.destroy());
    asked.once('error', reject);
    asked.end();
  });
}
