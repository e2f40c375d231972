import type { Dispatcher } from 'undici';

/** What is to be known of a request while it is under way. */
export interface Observer {
  /** The request is about to be written to a connection; until then it has certainly not been sent. */
  onSending(): void;
  /** A piece of the answer's body has come, and nothing has been done with it yet. */
  onBytes(bytes: Uint8Array): void;
}

/**
 * An undici interceptor that shows a request's two moments that matter. Everything that fails before the first one
 * (name resolution, connect, TLS, the proxy's tunnel) leaves the refresh token unspent for certain. The second one
 * comes straight from the connection's parser: no promise and no stream lies between the system call that read the
 * bytes and their record.
 */
export function observeExchange(observer: Observer): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, context) {
        observer.onSending();
        handler.onRequestStart?.(controller, context);
      },
      onResponseStart: (controller, status, headers, message) =>
        handler.onResponseStart?.(controller, status, headers, message),
      onResponseData(controller, chunk) {
        observer.onBytes(chunk);
        handler.onResponseData?.(controller, chunk);
      },
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    });
}
