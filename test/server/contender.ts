/** A process that waits for a line on stdin, tries to start a server at the path in argv, and says what came of it. */
import { once } from 'node:events';
import pino from 'pino';
import { AuthdError } from '../../src/errors.js';
import { systemClock } from '../../src/os/clock.js';
import { startServer } from '../../src/server/server.js';

process.stdout.write('ready\n');
await once(process.stdin, 'data');
try {
  await startServer({
    socketPath: process.argv[2] ?? '',
    keepers: () => new Map(),
    version: '1.0.0',
    startedAtMs: Date.now(),
    locks: 'flock',
    clock: systemClock,
    log: pino({ level: 'silent' }),
  });
  process.stdout.write('started\n');
} catch (error) {
  process.stdout.write(`${error instanceof AuthdError ? error.code : String(error)}\n`);
}
