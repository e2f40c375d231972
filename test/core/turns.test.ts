import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/core/turns.js';
import { makeDeferred } from '../support/deferred.js';

describe('pieces of work', () => {
  it('are done one after the other, and each settles for whoever asked for it', async () => {
    const turns = new Turns();
    const steps: string[] = [];
    const first = makeDeferred<string>();
    const all = [
      turns.take(() => {
        steps.push('first begins');
        return first.promise.finally(() => steps.push('first ends'));
      }),
      turns.take(() => {
        steps.push('second begins');
        return Promise.resolve('two');
      }),
    ];
    await Promise.resolve();
    expect(steps).toEqual(['first begins']);
    first.resolve('one');
    expect(await Promise.all(all)).toEqual(['one', 'two']);
    expect(steps).toEqual(['first begins', 'first ends', 'second begins']);
  });

  it('fail for nobody but who asked for them', async () => {
    const turns = new Turns();
    const failed = turns.take(() => Promise.reject(new Error('EIO')));
    const next = turns.take(() => Promise.resolve('done'));
    await expect(failed).rejects.toThrow('EIO');
    expect(await next).toBe('done');
  });

  it('are over when the last of them is, also if it failed', async () => {
    const turns = new Turns();
    await turns.over();
    const last = makeDeferred<never>();
    let isOver = false;
    const failed = turns.take(() => last.promise);
    const over = turns.over().then(() => {
      isOver = true;
    });
    await Promise.resolve();
    expect(isOver).toBe(false);
    last.reject(new Error('EIO'));
    await expect(failed).rejects.toThrow('EIO');
    await over;
  });
});
