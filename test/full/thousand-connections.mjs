/**
 * Follows the events of a daemon over many connections and does next to nothing with them, so that what it measures is the
 * daemon's own time. Arguments: the socket, and how many. It prints `connected`, and then for each new credential, when the
 * last connection has it, the moments at which the first and the last had it (Date.now).
 *
 * Plain JavaScript: nothing has to be compiled while the time runs.
 */
import { connect } from 'node:net';

const [socket, count] = process.argv.slice(2);
const REQUEST = 'GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n';
let connected = 0;
let arrived = 0;
let firstAtMs = 0;

for (let index = 0; index < Number(count); index += 1) {
  let isConnected = false;
  const connection = connect(socket, () => connection.write(REQUEST));
  connection.on('data', (chunk) => {
    if (!chunk.includes('event: credential')) return;
    if (isConnected) {
      arrive();
      return;
    }
    isConnected = true;
    connected += 1;
    if (connected === Number(count)) console.log('connected');
  });
}

function arrive() {
  const nowMs = Date.now();
  if (arrived === 0) firstAtMs = nowMs;
  arrived += 1;
  if (arrived < Number(count)) return;
  arrived = 0;
  console.log(JSON.stringify({ firstAtMs, lastAtMs: nowMs }));
}
