import { describe, expect, it } from 'vitest';
import { AuthdError } from '../../src/errors.js';
import { parseBody } from '../../src/server/parse-body.js';

const JSON_TYPE = 'application/json';
const TYPE = 'the body of a request must have the Content-Type application/json';
const NO_OBJECT = 'the body of the request is no JSON object';
const UNKNOWN = 'the body of the request has an unknown field';
const FINGERPRINT =
  "the field fingerprint must be the first 12 hex digits of the access token's SHA-256, in lower case";

describe('the body of a request', () => {
  it.each(['application/json', 'Application/JSON; charset=utf-8', ' application/json ; x=y'])(
    'is read where its type is %s',
    (contentType) => {
      const bytes = Buffer.from(' {"fingerprint":\n"0123456789ab"} ');
      expect(parseBody('Rejection', { contentType, bytes })).toEqual({ fingerprint: '0123456789ab' });
    },
  );

  const wrong: [what: string, body: string | Buffer, message: string, contentType?: string][] = [
    ['is not there', '', 'this path takes a JSON object as the body'],
    ['is a form', 'fingerprint=0123456789ab', TYPE, 'application/x-www-form-urlencoded'],
    ['is text', '{"fingerprint":"0123456789ab"}', TYPE, 'text/plain'],
    ['is of a type that only begins like JSON', '{}', TYPE, 'application/json-patch+json'],
    ['is half of one', '{"fingerprint":"0123', NO_OBJECT],
    ['is a list', '["0123456789ab"]', NO_OBJECT],
    ['is null', 'null', NO_OBJECT],
    ['is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), NO_OBJECT],
    ['lacks a field', '{}', 'the body of the request lacks the field fingerprint'],
    ['has a field that nobody knows', '{"fingerprint":"0123456789ab","token":"x"}', UNKNOWN],
    ['has only what every object has', '{"__proto__":{"fingerprint":"0123456789ab"}}', UNKNOWN],
    ['has a number for a text', '{"fingerprint":123456789012}', FINGERPRINT],
    ['has one digit too many', '{"fingerprint":"0123456789abc"}', FINGERPRINT],
    ['has a line more', '{"fingerprint":"0123456789ab\\n"}', FINGERPRINT],
    ['has capital letters', '{"fingerprint":"0123456789AB"}', FINGERPRINT],
  ];

  it.each(wrong)('is refused if it %s', (_what, body, message, contentType = JSON_TYPE) => {
    const error = failureOf(Buffer.from(body), contentType);
    expect(error).toMatchObject({
      code: 'bad_request',
      message,
      hint: 'send Content-Type: application/json with a body like {"fingerprint":"0123456789ab"}',
    });
  });

  it('is refused without a type', () => {
    const received = { contentType: undefined, bytes: Buffer.from('{"fingerprint":"0123456789ab"}') };
    expect(() => parseBody('Rejection', received)).toThrow(TYPE);
  });

  it('is never repeated: it may be a token that was sent for its fingerprint', () => {
    const error = failureOf(Buffer.from('{"fingerprint":"eyJ-secret","eyJ-other":1}'), JSON_TYPE);
    expect(JSON.stringify([error.message, error.hint])).not.toContain('eyJ');
  });
});

function failureOf(bytes: Buffer, contentType: string): AuthdError {
  try {
    parseBody('Rejection', { contentType, bytes });
  } catch (error) {
    if (error instanceof AuthdError) return error;
    throw error;
  }
  throw new Error('it was taken');
}
