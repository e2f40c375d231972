import { AuthdError } from '../errors.js';
import { BODIES, type BodyName, type BodyOf, type BodyShape } from './request-bodies.js';

/** What came as the body of a request. */
export interface ReceivedBody {
  readonly contentType: string | undefined;
  readonly bytes: Buffer;
}

/**
 * Reads the body of a request, strictly: a field that is misspelt must not silently be left out. What the body says is
 * never repeated: somebody may have sent the token in place of its fingerprint.
 *
 * @throws AuthdError `bad_request` that says what is wrong, with an example of what is right as the hint
 */
export function parseBody<Name extends BodyName>(name: Name, received: ReceivedBody): BodyOf<Name> {
  const shape: BodyShape = BODIES[name];
  if (received.bytes.length === 0) throw badBody(shape, 'this path takes a JSON object as the body');
  if (mediaType(received.contentType) !== 'application/json') {
    throw badBody(shape, 'the body of a request must have the Content-Type application/json');
  }
  const body = parseObject(received.bytes);
  if (body === null) throw badBody(shape, 'the body of the request is no JSON object');
  for (const field of Object.keys(body)) {
    if (!Object.hasOwn(shape.fields, field))
      throw badBody(shape, 'the body of the request has an unknown field');
  }
  for (const [field, { pattern, expected }] of Object.entries(shape.fields)) {
    const value = body[field];
    if (value === undefined) throw badBody(shape, `the body of the request lacks the field ${field}`);
    if (typeof value !== 'string' || !new RegExp(pattern, 'u').test(value)) {
      throw badBody(shape, `the field ${field} must be ${expected}`);
    }
  }
  return body as BodyOf<Name>;
}

function mediaType(header: string | undefined): string {
  const [type = ''] = (header ?? '').split(';', 1);
  return type.trim().toLowerCase();
}

/** JSON is UTF-8 (RFC 8259 §8.1): what is not must not be guessed at. */
function parseObject(bytes: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function badBody({ fields }: BodyShape, message: string): AuthdError {
  const example = Object.fromEntries(Object.entries(fields).map(([name, { example }]) => [name, example]));
  return new AuthdError('bad_request', message, {
    hint: `send Content-Type: application/json with a body like ${JSON.stringify(example)}`,
  });
}
