import { expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../src/core/plan.js';
import { setback, type Setback, type SetbackContext } from '../../src/core/setback.js';
import type { Trouble } from '../../src/core/state.js';
import { Setbacks } from '../../src/keeper/setbacks.js';
import { VirtualClock } from './virtual-clock.js';

const CONTEXT: SetbackContext = {
  previous: null,
  nowMs: 0,
  expiresAtMs: 3_600_000,
  policy: DEFAULT_POLICY,
  random: () => 0.5,
};

function after(reason: Trouble['reason']): Setback {
  return setback({ reason, detail: 'planted' }, CONTEXT);
}

it('of many, the doubts are remembered, and the newest: nothing is asked without a pause', () => {
  const setbacks = new Setbacks(new VirtualClock(0));
  const doubted = Array.from({ length: 40 }, (_, index) => `doubted-${String(index)}`);
  for (const fingerprint of doubted) setbacks.suffer(fingerprint, after('outcome_unknown'), CONTEXT);
  setbacks.suffer('offline', after('offline'), CONTEXT);
  for (const fingerprint of [...doubted, 'offline'])
    expect(setbacks.of(fingerprint), fingerprint).not.toBeNull();
  setbacks.suffer('unreachable', after('unreachable'), CONTEXT);
  expect([setbacks.of('offline'), setbacks.of('unreachable')?.trouble.reason]).toEqual([null, 'unreachable']);
});
