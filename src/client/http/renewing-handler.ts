import type { CredentialBody } from '../../protocol.js';
import type { DispatchController, DispatchHandler } from './dispatch.js';

/** What a handler does about a 401. */
export interface Renewal {
  /** Reports the token; resolves to another one, or to null if there is none. Never rejects. */
  report(): Promise<CredentialBody | null>;
  /** Makes the request once more; its answer goes to the handler behind this one. */
  again(credential: CredentialBody): void;
}

/**
 * Stands before a request's own handler (undici 7 and 8). A 401 stops the answer where it is, until it is known whether
 * there is another token: then its rest is swallowed, and the request made again; else it is passed on.
 */
export function renewingHandler(handler: DispatchHandler, renewal: Renewal): DispatchHandler {
  let other: CredentialBody | null = null;
  let isOver = false;

  async function decide(controller: DispatchController, pass: () => void): Promise<void> {
    other = await renewal.report();
    if (isOver) return;
    try {
      if (other === null) pass();
    } catch (error) {
      controller.abort(error instanceof Error ? error : new Error(String(error)));
    }
    controller.resume();
  }

  return {
    onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
    onRequestUpgrade: (...upgrade) => handler.onRequestUpgrade?.(...upgrade),
    onResponseStarted: () => handler.onResponseStarted?.(),
    onBodySent: (...sent) => handler.onBodySent?.(...sent),
    onRequestSent: () => handler.onRequestSent?.(),
    onResponseStart(controller, status, headers, message) {
      const pass = (): void => handler.onResponseStart?.(controller, status, headers, message);
      if (status !== 401) {
        pass();
        return;
      }
      controller.pause();
      void decide(controller, pass);
    },
    onResponseData(controller, chunk) {
      if (other === null) handler.onResponseData?.(controller, chunk);
    },
    onResponseEnd(controller, trailers) {
      isOver = true;
      if (other === null) handler.onResponseEnd?.(controller, trailers);
      else renewal.again(other);
    },
    onResponseError(controller, error) {
      isOver = true;
      handler.onResponseError?.(controller, error);
    },
  };
}

/** The same for undici 6, whose handlers answer false to pause. */
export function renewingLegacyHandler(handler: DispatchHandler, renewal: Renewal): DispatchHandler {
  let other: CredentialBody | null = null;
  let isOver = false;
  let abort: (reason?: Error) => void = () => undefined;

  async function decide(resume: () => void, pass: () => boolean): Promise<void> {
    other = await renewal.report();
    if (isOver) return;
    let isPaused = false;
    try {
      if (other === null) isPaused = !pass();
    } catch (error) {
      abort(error instanceof Error ? error : new Error(String(error)));
    }
    if (!isPaused) resume();
  }

  return {
    onConnect(abortRequest, context) {
      abort = abortRequest;
      handler.onConnect?.(abortRequest, context);
    },
    onUpgrade: (...upgrade) => handler.onUpgrade?.(...upgrade),
    onResponseStarted: () => handler.onResponseStarted?.(),
    onBodySent: (...sent) => handler.onBodySent?.(...sent),
    onHeaders(status, headers, resume, message) {
      const pass = (): boolean => handler.onHeaders?.(status, headers, resume, message) ?? true;
      if (status !== 401) return pass();
      void decide(resume, pass);
      return false;
    },
    onData: (chunk) => (other === null ? (handler.onData?.(chunk) ?? true) : true),
    onComplete(trailers) {
      isOver = true;
      if (other === null) handler.onComplete?.(trailers);
      else renewal.again(other);
    },
    onError(error) {
      isOver = true;
      handler.onError?.(error);
    },
  };
}
