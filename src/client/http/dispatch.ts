/*
 * What of undici's dispatchers an interceptor needs, in a form that fits its versions 6, 7 and 8: undici itself is not
 * imported, because the one to be composed is the caller's.
 */

/** A request on its way to a dispatcher. */
export interface DispatchOptions {
  origin?: string | URL;
  path: string;
  method: string;
  headers?: unknown;
  body?: unknown;
}

/** Controls one request, in undici 7 and 8. */
export interface DispatchController {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

type Headers = Record<string, string | string[] | undefined>;

/** Is told of the answer: the first group by undici 7 and 8, the second one by undici 6, the third by several. */
export interface DispatchHandler {
  onRequestStart?(controller: DispatchController, context: unknown): void;
  onRequestUpgrade?(controller: DispatchController, status: number, headers: Headers, socket: unknown): void;
  onResponseStart?(controller: DispatchController, status: number, headers: Headers, message?: string): void;
  onResponseData?(controller: DispatchController, chunk: Buffer): void;
  onResponseEnd?(controller: DispatchController, trailers: Headers): void;
  onResponseError?(controller: DispatchController, error: Error): void;

  onConnect?(abort: (reason?: Error) => void, context?: unknown): void;
  onUpgrade?(status: number, headers: Buffer[] | string[] | null, socket: unknown): void;
  onHeaders?(status: number, headers: Buffer[], resume: () => void, message: string): boolean;
  onData?(chunk: Buffer): boolean;
  onComplete?(trailers: string[] | null): void;
  onError?(error: Error): void;

  onResponseStarted?(): void;
  /** What was sent: its size and the size so far in undici 6, the chunk itself in undici 8. */
  onBodySent?(...sent: unknown[]): void;
  onRequestSent?(): void;
}

/** A dispatcher of whichever version. A method, so that one which takes its own handlers only passes for it too. */
export interface Dispatcher {
  dispatch(options: DispatchOptions, handler: DispatchHandler): boolean;
}

/** Fits `compose()` of each version: what goes in comes out again. */
export type Interceptor = <Options extends DispatchOptions, Handler extends DispatchHandler>(
  dispatch: (options: Options, handler: Handler) => boolean,
) => (options: Options, handler: Handler) => boolean;

/** The headers of a request as a flat list, in whichever form they were given. */
export function flatHeaders(headers: unknown): unknown[] {
  if (headers === null || headers === undefined || typeof headers !== 'object') return [];
  if (Array.isArray(headers))
    return Array.isArray(headers[0]) ? headers.flat(1) : [...(headers as unknown[])];
  const entries: Iterable<unknown> = isIterable(headers) ? headers : Object.entries(headers);
  return [...entries].flatMap((entry) => entry);
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}
