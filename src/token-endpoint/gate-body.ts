import { Readable } from 'node:stream';

/** Who has the last word on a request. */
export interface Gatekeeper {
  /** Asked once, when the connection is there and nothing has been written to it. */
  mayLeave(): Promise<boolean>;
  /** The request is about to be written; until then it has certainly not been sent. */
  onLeaving(): void;
}

/** The body of a request that was not to leave any more. */
class Withheld extends Error {
  readonly code = 'withheld';
}

/**
 * The body of a request, given out when the connection is there: name resolution, connect, TLS and a proxy's tunnel may
 * take their time, and who has second thoughts meanwhile has them before the first byte. undici writes no header before the
 * first piece of a body that is a stream.
 */
export function gateBody(text: string, gatekeeper: Gatekeeper): Readable {
  return Readable.from(openGate(Buffer.from(text), gatekeeper), { objectMode: false });
}

async function* openGate(body: Buffer, gatekeeper: Gatekeeper): AsyncGenerator<Buffer> {
  if (!(await gatekeeper.mayLeave())) throw new Withheld('withheld at the last moment');
  gatekeeper.onLeaving();
  yield body;
}
