import { withTokens } from '../core/edit.js';
import { readLogin, refreshTokenIn } from '../core/login.js';
import type { TokenSet } from '../core/outcome.js';
import type { Reading } from '../core/reading.js';
import { describeError } from '../errors.js';
import { pause } from '../os/clock.js';
import { isRotation, type Harvest } from './harvest.js';
import type { StagePort } from './ports.js';
import { recover } from './recover.js';
import type { RotationPorts, RotationResult } from './rotation.js';

/** A writer that tears the file, or one that is quicker than the comparison, is given this many chances to finish. */
const STORE_ATTEMPTS = 8;
const STORE_PAUSE_MS = 100;

/** Stores a harvest that could not be stored when it came. */
export async function storeHarvest(harvest: Harvest, ports: RotationPorts): Promise<RotationResult> {
  let stage: StagePort | null = null;
  try {
    await ports.lock.ensure();
    if (!harvest.isDurable && !harvest.isStored) await sealAgain(harvest, ports);
    stage = await ports.authFile.stage(0, () => ports.lock.held);
    return await store(harvest, ports, stage);
  } catch (error) {
    return { kind: 'not_stored', detail: describeError(error) };
  } finally {
    await stage?.discard().catch(() => undefined);
  }
}

/**
 * Puts the tokens into the file as it is now, as long as it still holds the refresh token that was spent for them. A
 * file that was only edited elsewhere keeps that edit.
 */
export async function store(
  harvest: Harvest,
  ports: RotationPorts,
  stage: StagePort,
): Promise<RotationResult> {
  const { authFile, lock, clock } = ports;
  const { spent, tokens } = harvest;
  try {
    for (let attempt = 0; attempt < STORE_ATTEMPTS; attempt += 1) {
      if (attempt > 0) await pause(clock, STORE_PAUSE_MS);
      if (!lock.held) await lock.ensure();
      const reading = await authFile.readSettled();
      if (reading.kind === 'unsettled' || isTorn(reading)) continue;
      const inFile = refreshTokenIn(reading);
      if (reading.kind === 'text' && isRotation(harvest) && inFile === tokens.refreshToken?.fingerprint) {
        // A commit that failed after its rename.
        await stage.confirm();
        return { kind: 'stored' };
      }
      if (reading.kind !== 'text' || inFile !== spent) return { kind: 'overtaken', harvest };
      const text = withTokens(reading.text, tokens, clock.now());
      if (await stage.commit(reading.text, text)) return { kind: 'stored' };
    }
    return { kind: 'not_stored', detail: 'auth.json kept changing while it was to be replaced' };
  } catch (error) {
    return {
      kind: 'not_stored',
      detail: `auth.json could not be replaced: ${describeError(error)}`,
    };
  }
}

/** Who reads a journal makes durable what is in it: until they are in the file as well, consumers may have the tokens then. */
async function sealAgain(harvest: Harvest, { journal, clock, onHarvest }: RotationPorts): Promise<void> {
  const left = await recover(journal, clock.now()).catch(() => []);
  for (const each of left) {
    if (each.kind !== 'harvest' || each.spent !== harvest.spent || !each.harvest.isDurable) continue;
    // Another daemon may have had another answer to the same token.
    if (isSame(each.harvest.tokens, harvest.tokens)) onHarvest(each.harvest);
  }
}

function isSame(one: TokenSet, other: TokenSet): boolean {
  const kinds = ['accessToken', 'refreshToken', 'idToken'] as const;
  return kinds.every((kind) => one[kind]?.fingerprint === other[kind]?.fingerprint);
}

/** A document that nobody can read may be half of one in which our login still is; one that is whole tells. */
function isTorn(reading: Reading): boolean {
  if (reading.kind === 'refused') return true;
  if (reading.kind !== 'text') return false;
  const login = readLogin(reading.text);
  return login.kind === 'none' && login.reason === 'not_json';
}
