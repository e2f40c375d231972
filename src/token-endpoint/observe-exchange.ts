import type { Dispatcher } from 'undici';
import { isSuccess } from '../core/outcome.js';

/**
 * An undici interceptor that shows each piece of a successful answer's body when it has come and nothing has been done with it
 * yet: straight from the connection's parser, with no promise and no stream between the system call that read the bytes and
 * their record. Other answers hold no tokens but those that they repeat, and would be taken for new ones after a kill.
 */
export function observeExchange(
  onBytes: (bytes: Uint8Array) => void,
): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    let isShown = false;
    return dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onResponseStart(controller, status, headers, message) {
        isShown = isSuccess(status);
        handler.onResponseStart?.(controller, status, headers, message);
      },
      onResponseData(controller, chunk) {
        if (isShown) onBytes(chunk);
        handler.onResponseData?.(controller, chunk);
      },
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    });
  };
}
