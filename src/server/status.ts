import type { StatusBody } from '../protocol.js';
import { jsonAnswer, type Answer } from './answer.js';
import { accountStatus, healthBody, instant } from './bodies.js';
import { keeperOf, type Exchange } from './context.js';

/** `GET /v1/status` */
export function answerStatus({ context }: Exchange): Answer {
  const body: StatusBody = {
    schema: 1,
    version: context.version,
    node: process.version,
    pid: process.pid,
    started_at: instant(context.startedAtMs),
    socket: context.socketPath,
    locks: context.locks,
    accounts: [...context.keepers().values()].map((keeper) => accountStatus(keeper.snapshot())),
  };
  return jsonAnswer(200, body);
}

/** `GET /healthz` */
export function answerHealth(exchange: Exchange): Answer {
  const snapshot = keeperOf(exchange).snapshot();
  return jsonAnswer(snapshot.state.serving ? 200 : 503, healthBody(snapshot));
}
