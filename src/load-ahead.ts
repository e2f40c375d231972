import { describeError } from './errors.js';
import { loadPromClient } from './server/metrics.js';
import { loadUndici } from './token-endpoint/undici.js';

interface LoadLog {
  debug(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Loads what the daemon needs later only: its start is not to wait for that. Nor is it to be read from the package when it is
 * needed, days later, because an upgrade may have put another version there meanwhile, or have removed it. Never rejects.
 */
export async function loadAhead(log: LoadLog): Promise<void> {
  try {
    await loadUndici();
    await loadPromClient();
    log.debug({}, 'all that is needed later is loaded');
  } catch (error) {
    const fields = { reason: describeError(error), hint: 'install codex-authd again' };
    log.error(fields, 'the package is not whole: what is needed later cannot be loaded');
  }
}
