/** What the process does on the signals that a daemon lives with. */
export interface SignalHandlers {
  /** SIGHUP: read the configuration again. */
  readonly reload: () => void;
  /** The first SIGTERM or SIGINT: stop when it is safe to. */
  readonly stop: (signal: NodeJS.Signals) => void;
  /** A further one: whoever sends it does not want to wait. */
  readonly abort: (signal: NodeJS.Signals) => void;
}

/** Handles the signals until the function that is returned is called. */
export function onSignals({ reload, stop, abort }: SignalHandlers): () => void {
  let isStopping = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isStopping) abort(signal);
    else stop(signal);
    isStopping = true;
  };
  process.on('SIGHUP', reload);
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  return () => {
    process.off('SIGHUP', reload);
    process.off('SIGTERM', end);
    process.off('SIGINT', end);
  };
}
