/**
 * Preloaded into a daemon, it stops it when everything is loaded and nothing of the account has been touched yet, so
 * that strace can be attached. SIGCONT lets it go on.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { realpath } = fs.promises;
fs.promises.realpath = (...args) => {
  fs.promises.realpath = realpath;
  syncBuiltinESMExports();
  process.kill(process.pid, 'SIGSTOP');
  return realpath(...args);
};
syncBuiltinESMExports();
