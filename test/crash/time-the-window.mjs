/**
 * Preloaded into a daemon, it writes into the file that WINDOW_REPORT names how many microseconds lie between the
 * moment at which a piece of an answer reaches JavaScript and the end of the write that records it.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

let arrivedAtMs = 0;
const { push } = net.Socket.prototype;
net.Socket.prototype.push = function timed(...args) {
  arrivedAtMs = performance.now();
  return push.apply(this, args);
};

const { appendFileSync, writeSync } = fs;
fs.writeSync = (descriptor, bytes, ...rest) => {
  const count = writeSync(descriptor, bytes, ...rest);
  if (typeof bytes !== 'string') {
    const microseconds = (performance.now() - arrivedAtMs) * 1000;
    appendFileSync(process.env.WINDOW_REPORT, `${microseconds.toFixed(1)}\n`);
  }
  return count;
};
syncBuiltinESMExports();
