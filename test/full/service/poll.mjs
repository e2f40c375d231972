/*
 * Clients that ask for the credential all the time: `node poll.mjs LIBRARY SOCKET CLIENTS`, until SIGTERM. The first
 * answer is a line on stdout, and at the end what came of all of them is another.
 */
import { connect } from 'node:net';

const [library, socket, clients] = process.argv.slice(2);
const { readCredential } = await import(library);
const seen = { answers: 0, expired: 0, failures: [], refusals: [], generations: [] };
let isOver = false;
process.once('SIGTERM', () => (isOver = true));

async function poll() {
  while (!isOver) {
    try {
      const { expires_at: expiresAt, generation } = await readCredential({ socket });
      seen.answers += 1;
      if (seen.answers === 1) process.stdout.write('polling\n');
      if (Date.parse(expiresAt) <= Date.now()) seen.expired += 1;
      if (!seen.generations.includes(generation)) seen.generations.push(generation);
    } catch (error) {
      seen.failures.push(`${error.code}: ${error.message} (${error.cause?.code})`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Only connects, and hangs up: nothing repeats that unseen. */
async function knock() {
  while (!isOver) {
    await new Promise((resolve) => {
      const knocking = connect(socket, () => knocking.destroy());
      knocking.on('error', (error) => seen.refusals.push(error.code));
      knocking.on('close', resolve);
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

await Promise.all([...Array.from({ length: Number(clients) }, poll), knock()]);
process.stdout.write(`${JSON.stringify(seen)}\n`);
