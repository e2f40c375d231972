import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { LONGEST_STOP_MS } from '../../src/service/run-tool.js';
import { LONGEST_ANSWER_MS, LONGEST_WAY_MS } from '../../src/token-endpoint/token-endpoint.js';

/** What a rotation may take at locks and disks beside the network. */
const STORING_MS = 30_000;

it.each([
  ['systemd/codex-authd.service', /^TimeoutStopSec=(\d+)$/m],
  ['launchd/codex-authd.plist', /<key>ExitTimeOut<\/key>\s*<integer>(\d+)</],
])(
  'a rotation in flight is finished before it is killed, and that is waited for: %s',
  async (file, limit) => {
    const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
    const killedAfterMs = Number(limit.exec(text)?.[1]) * 1000;
    expect(killedAfterMs).toBeGreaterThan(LONGEST_WAY_MS + LONGEST_ANSWER_MS + STORING_MS);
    expect(LONGEST_STOP_MS).toBeGreaterThan(killedAfterMs);
  },
);
