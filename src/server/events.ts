import type { ServerResponse } from 'node:http';
import type { PublishedCredential } from '../core/credential.js';
import { servable } from '../core/state.js';
import { describeError } from '../errors.js';
import type { CredentialKeeper, KeeperEvent, KeeperSnapshot } from '../keeper/snapshot.js';
import type { Answer } from './answer.js';
import { keeperOf, type Exchange, type ServerContext } from './context.js';

/** `GET /v1/events` */
export function answerEvents(exchange: Exchange): Answer {
  const keeper = keeperOf(exchange);
  return {
    status: 200,
    headers: { 'Content-Type': 'text/event-stream' },
    stream: (response) => {
      streamEvents(exchange.context, keeper, response);
    },
  };
}

/**
 * Sends the full state at once and every event of the keeper from then on, until either side ends it.
 *
 * One write at a time: while it is on its way, only the newest event of each type is remembered. So a slow
 * reader costs two events of memory, and a token is never kept in a buffer of ours until it has expired.
 */
function streamEvents(context: ServerContext, keeper: CredentialKeeper, response: ServerResponse): void {
  const { clock, limits, texts } = context;
  let writing = false;
  let ended = false;
  let nextState: KeeperSnapshot | null = keeper.snapshot();
  let nextCredential: PublishedCredential | null = nextState.credential;
  let cancelHeartbeat = clock.after(limits.heartbeatMs, beat);

  const unsubscribe = keeper.subscribe((event) => {
    remember(event);
    flush();
  });
  const stream = { keeper, end };
  context.streams.add(stream);
  response.once('close', stop);
  write(`retry: 1000\n${takeNext()}`);

  function remember(event: KeeperEvent): void {
    if (event.type === 'state') nextState = event.snapshot;
    else nextCredential = event.credential;
  }

  /** The events to be sent now, as text; the credential only if it may still be given out. */
  function takeNext(): string {
    let text = '';
    if (nextState !== null) text += texts.state(nextState);
    if (nextCredential !== null && servable(nextCredential, keeper.now())) {
      text += texts.credential(keeper.account, nextCredential);
    }
    nextState = null;
    nextCredential = null;
    return text;
  }

  /** Never throws: the keeper that calls it, and the next stream's turn, have nothing to do with a failure here. */
  function flush(): void {
    if (writing || ended) return;
    try {
      const text = takeNext();
      if (text !== '') write(text);
    } catch (error) {
      context.log.error({ error: describeError(error) }, 'an event stream failed');
      response.destroy();
    }
  }

  function write(text: string): void {
    writing = true;
    const cancelStall = clock.after(limits.stallMs, () => {
      response.destroy();
    });
    response.write(text, () => {
      cancelStall();
      writing = false;
      flush();
    });
  }

  function beat(): void {
    if (!writing) write(': heartbeat\n\n');
    cancelHeartbeat = clock.after(limits.heartbeatMs, beat);
  }

  function end(): void {
    stop();
    response.end();
  }

  function stop(): void {
    ended = true;
    unsubscribe();
    cancelHeartbeat();
    context.streams.delete(stream);
  }
}
