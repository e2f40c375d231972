import { findDead, type AccountRecord } from '../core/account-record.js';
import type { Secret } from '../core/secret.js';
import { isRotation } from './harvest.js';
import { recover } from './recover.js';
import { stateFailure, type RotationPorts } from './rotation.js';

/**
 * Whether the journals tell of this token what nobody knew who decided to send it, and tells that. It may have been answered
 * after all: to a daemon that stood still while it had its request under way, has lost the lock, and cannot store what came.
 * Or somebody else has sent it, whose home had a copy of this login: when that one's journal is gone, his record tells.
 */
export async function isNewsOf(
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
  const dead = others.map((record) => findDead(record, fingerprint, endpoint.identity));
  const epitaph = dead.find((each) => each !== null) ?? null;
  if (epitaph !== null) {
    await onDead(epitaph);
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
