import type { Dispatcher } from 'undici';

/** Set once a request is about to be written to a connection; until then it has certainly not been sent. */
export interface Sending {
  begun: boolean;
}

/**
 * An undici interceptor that notices the moment from which a request may have reached the server. Everything that
 * fails before it (name resolution, connect, TLS, the proxy's tunnel) leaves the refresh token unspent for certain.
 */
export function noticeSending(sending: Sending): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      ...forward(handler),
      onRequestStart(controller, context) {
        sending.begun = true;
        handler.onRequestStart?.(controller, context);
      },
    });
}

function forward(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
  return {
    onResponseStart: (controller, status, headers, message) =>
      handler.onResponseStart?.(controller, status, headers, message),
    onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
    onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
    onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
  };
}
