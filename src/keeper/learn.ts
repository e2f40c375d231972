import { findDead, type AccountRecord } from '../core/account-record.js';
import type { Secret } from '../core/secret.js';
import { isRotation } from './harvest.js';
import { recover } from './recover.js';
import { stateFailure, type RotationPorts } from './rotation.js';

/**
 * Looks what the journals and the records of other homes tell of this token, and tells what is news to those who decided to send
 * it; resolves to whether there was any. It may have been answered after all: to a daemon that stood still while it had its
 * request under way, has lost the lock, and cannot store what came. Or somebody else has sent it, whose home had a copy of this
 * login: when that one's journal is gone, his record tells.
 *
 * @throws AuthdError `storage` if one of them cannot be read
 */
export async function learnOf(
  { fingerprint }: Secret,
  isDoubted: boolean,
  ports: RotationPorts,
): Promise<boolean> {
  const { journal, endpoint, clock, onHarvest, onDoubt, onDead } = ports;
  for (const left of await recover(journal, clock.now())) {
    if (left.spent !== fingerprint) continue;
    if (left.kind === 'harvest' && isRotation(left.harvest)) {
      onHarvest(left.harvest);
      return true;
    }
    if (left.kind === 'unknown' && !isDoubted && onDoubt(fingerprint)) return true;
  }
  const others = await readOthers(ports);
  for (const record of others) {
    const dead = findDead(record, fingerprint, endpoint.identity);
    if (dead === null) continue;
    await onDead(dead);
    return true;
  }
  const isDoubtedThere = others.some(({ doubted }) => doubted.includes(fingerprint));
  return isDoubtedThere && !isDoubted && onDoubt(fingerprint);
}

async function readOthers({ otherRecords }: RotationPorts): Promise<readonly AccountRecord[]> {
  try {
    return await otherRecords();
  } catch (error) {
    throw stateFailure('the records of other homes cannot be read', error);
  }
}
