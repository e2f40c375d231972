import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { painter, plain } from '../../src/cli/output.js';

describe('colour', () => {
  it('is used on a terminal', () => {
    expect(painter({ isTTY: true }, {})('red', 'error:')).toBe('\u001b[31merror:\u001b[0m');
    expect(painter({ isTTY: true }, { NO_COLOR: '', TERM: 'xterm' })('bold', 'x')).toBe(
      '\u001b[1mx\u001b[0m',
    );
  });

  it.each([
    ['no terminal', { isTTY: false }, {}],
    ['a pipe or a file', {}, {}],
    ['NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }],
    ['a dumb terminal', { isTTY: true }, { TERM: 'dumb' }],
  ])('is not used with %s', (_name, stream, env) => {
    expect(painter(stream, env)('red', 'error:')).toBe('error:');
  });
});

describe('a foreign text on the terminal', () => {
  it.each([
    ['\u001b[31mred\u001b[0m', '[31mred[0m'],
    ['two\r\nlines\tand a tab', 'two lines and a tab'],
    ['\u0000\u0007\u007f\u0085\u009b', ''],
    ['abc\u202edef\u2066', 'abcdef'],
    ['Grüße, 日本 👩‍💻', 'Grüße, 日本 👩‍💻'],
  ])('%j is shown as %j', (text, shown) => {
    expect(plain(text)).toBe(shown);
  });
});

describe('the exit code', () => {
  it.each([
    ['usage', undefined, 2],
    ['daemon_not_running', undefined, 3],
    ['login_required', 'refresh_token_rejected', 4],
    ['logged_out', 'no_file', 4],
    ['timeout', undefined, 5],
    ['unavailable', 'rotation_in_flight', 5],
    ['unavailable', 'offline', 1],
    ['bad_answer', undefined, 1],
    ['already_running', undefined, 1],
  ] as const)('of %s (%s) is %d', (code, reason, exit) => {
    expect(exitCodeOf({ code, reason })).toBe(exit);
  });
});
