import type { WriteStream } from 'node:tty';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import type { Environment } from '../os/paths.js';

/** Where a command writes: stdout is data, everything else goes to stderr. */
export interface Output {
  /** Writes lines to stdout, as they are. @throws ReaderGone, or AuthdError `storage` */
  data(text: string): Promise<void>;
  /** Writes one JSON value to stdout: one line, or indented on a terminal. @throws as {@link Output.data} */
  json(value: unknown): Promise<void>;
  /** Writes `codex-authd: error: …`, and the hint if there is one, to stderr. */
  error(message: string, hint?: string): void;
  /** Writes `codex-authd: hint: …` to stderr. */
  hint(text: string): void;
  /** Writes lines to stderr, as they are. */
  aside(text: string): void;
  /** Paints what goes to stdout. */
  readonly paint: Paint;
}

/** Colours a piece of text, or leaves it alone. */
export type Paint = (colour: Colour, text: string) => string;
export type Colour = keyof typeof COLOURS;

const COLOURS = { bold: '1', red: '31', green: '32', yellow: '33', cyan: '36' } as const;

/** Thrown when whoever read stdout has gone away: nothing is left to be done, and nothing to be said. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/** The streams of a process; each is touched only when something is written to it, because Node opens it then. */
export interface Streams {
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
}

/** The output of a process. */
export function createOutput(streams: Streams, env: Environment): Output {
  const data = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      heedless(streams.stdout).write(text, (error) => {
        if (error) reject(writeError(error));
        else resolve();
      });
    });
  const aside = (text: string): void => {
    heedless(streams.stderr).write(text);
  };
  const say = (colour: Colour, label: string, text: string): void => {
    aside(`codex-authd: ${painter(streams.stderr, env)(colour, label)} ${plain(text)}\n`);
  };
  return {
    data,
    aside,
    json: (value) => data(`${safeJson(value, streams.stdout.isTTY)}\n`),
    error(message, hint) {
      say('red', 'error:', message);
      if (hint !== undefined) say('cyan', 'hint:', hint);
    },
    hint(text) {
      say('cyan', 'hint:', text);
    },
    paint: (colour, text) => painter(streams.stdout, env)(colour, text),
  };
}

/** Colour only on a terminal that has any, and not with NO_COLOR. */
export function painter(stream: { readonly isTTY?: boolean }, env: Environment): Paint {
  const refused = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  if (stream.isTTY !== true || refused || env['TERM'] === 'dumb') return (_colour, text) => text;
  return (colour, text) => `\u001b[${COLOURS[colour]}m${text}\u001b[0m`;
}

/**
 * A foreign text as it may be shown on a terminal, in one line: without control characters, and without those that
 * turn the direction of writing.
 */
export function plain(text: string): string {
  return text.replace(/[\t\n\r]+/g, ' ').replace(/[\p{Cc}\p{Bidi_Control}]/gu, '');
}

/** JSON leaves DEL, the C1 controls and the direction marks as they are; a terminal may obey them. */
function safeJson(value: unknown, indented: boolean): string {
  return JSON.stringify(value, null, indented ? 2 : undefined).replace(
    /[\u007f-\u009f\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function writeError(error: Error): Error {
  if (systemErrorCode(error) === 'EPIPE') return new ReaderGone('nobody reads stdout any more');
  return new AuthdError('storage', `cannot write to stdout: ${describeError(error)}`, { cause: error });
}

/** Without a listener an EPIPE would end the process with a stack, even though each write looks at its own error. */
function heedless(stream: WriteStream): WriteStream {
  if (stream.listenerCount('error') === 0) stream.on('error', () => undefined);
  return stream;
}
