import { schedule } from 'node-cron';

/** Ten seconds apart: a jump of the wall clock and a missed event are noticed that soon (facts 5.2, 5.4). */
const EVERY_TEN_SECONDS = '*/10 * * * * *';

interface TickLog {
  debug(fields: object, message: string): void;
}

/**
 * Calls `onTick` every ten seconds of the wall clock, also for a slot that came too late: after the machine slept,
 * that is the one that matters (facts 5.4). Returns how to stop it.
 */
export function startTicking(onTick: () => void, log: TickLog): () => Promise<void> {
  const note = (message: string | Error): void => {
    log.debug({}, String(message));
  };
  const task = schedule(EVERY_TEN_SECONDS, onTick, {
    logger: { debug: note, info: note, warn: note, error: note },
    suppressMissedWarning: true,
  });
  task.on('execution:missed', onTick);
  return async () => {
    await task.destroy();
  };
}
