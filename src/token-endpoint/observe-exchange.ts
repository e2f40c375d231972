import type { Dispatcher } from 'undici';

/**
 * An undici interceptor that shows each piece of an answer's body when it has come and nothing has been done with it yet:
 * straight from the connection's parser, with no promise and no stream between the system call that read the bytes and
 * their record.
 */
export function observeExchange(
  onBytes: (bytes: Uint8Array) => void,
): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onResponseStart: (controller, status, headers, message) =>
        handler.onResponseStart?.(controller, status, headers, message),
      onResponseData(controller, chunk) {
        onBytes(chunk);
        handler.onResponseData?.(controller, chunk);
      },
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    });
}
