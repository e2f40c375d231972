import { Socket } from 'node:net';
import type * as undiciModule from 'undici';
import { systemErrorCode } from '../errors.js';

export type Undici = typeof undiciModule;

/**
 * The HTTP client, whole: nothing of it is left to be read from its package afterwards, which may be replaced or gone by the
 * time a rotation is due. That takes some 60 ms (facts 5.5): whoever starts is not to wait for it.
 *
 * @throws Error if the package is not there
 */
export function loadUndici(): Promise<Undici> {
  loaded ??= load().catch((error: unknown) => {
    // It may be there later.
    loaded = undefined;
    throw error;
  });
  return loaded;
}

let loaded: Promise<Undici> | undefined;

async function load(): Promise<Undici> {
  const undici = await import('undici');
  await loadParser(undici);
  return undici;
}

/** undici reads its parser of answers, a WebAssembly module, when a first connection is there: here one that leads nowhere. */
async function loadParser({ Client }: Undici): Promise<void> {
  const client = new Client('http://localhost', {
    connect: (_options, callback) => {
      callback(null, new Socket());
    },
  });
  client.once('connect', () => void client.destroy());
  try {
    await client.request({ path: '/', method: 'HEAD' });
  } catch (error) {
    if (systemErrorCode(error) !== 'UND_ERR_DESTROYED') throw error;
  }
}
