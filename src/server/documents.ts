import { textAnswer, type Answer } from './answer.js';
import type { Exchange } from './context.js';

/** `GET /v1/openapi.json` */
export function answerOpenapi({ context }: Exchange): Answer {
  return textAnswer(200, 'application/json', context.openapi());
}

/** `GET /metrics` */
export async function answerMetrics({ context }: Exchange): Promise<Answer> {
  const { contentType, text } = await context.metrics();
  return textAnswer(200, contentType, text);
}
