import { readFileSync, statSync } from 'node:fs';
import { lstat, mkdir, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Random } from '../simulation/world/random.js';
import { chatgptFile, writeAuthFile, type LoginTokens } from '../support/login-file.js';
import { logInAs, tokensIn } from '../support/rivals/acts.js';
import { codex0163 } from '../support/rivals/codex-0-163.js';
import { codex0166 } from '../support/rivals/codex-0-166.js';
import { codex0169 } from '../support/rivals/codex-0-169.js';
import { textOf } from '../support/rivals/text-of.js';
import { scratchDir } from '../support/scratch-dir.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';
import { fingerprintOf } from '../support/tokens.js';
import { consume } from './rivals/consumer.js';
import { DaemonPair } from './rivals/daemon-pair.js';
import { isOurs, Judge } from './rivals/judge.js';
import { nap } from './rivals/nap.js';
import { liveAs } from './rivals/rival-life.js';

const SEED = Number(process.env['RIVALS_SEED'] ?? 3);
const DURATION_MS = Number(process.env['RIVALS_SECONDS'] ?? 600) * 1000;
const LIFETIME_S = 20;
const KILL_EVERY_MS = 45_000;
const CONSUMERS = 4;
/** The server takes its time, so that there is one in which somebody else may come. */
const SLOWEST_ANSWER_MS = 300;
/** A consumer hears that a person is needed when the file has been as it is for this long. */
const NEWS_TRAVELS_MS = 3_000;
/** What was valid when the daemon gave it out may end on its way. */
const ON_ITS_WAY_MS = 500;
/** A login that is dead is replaced when the daemon says so, or at the latest after this time. */
const PATIENCE_MS = 15_000;
/** An unknown outcome is put off until just before expiry, as it is with tokens that live for days. */
const CONFIG = 'last_safe_moment_seconds = 4\n';

it(
  'two daemons and three rival writers share one file for ten minutes: no token is reused by us, none is lost',
  { timeout: DURATION_MS + 120_000 },
  async () => {
    const endpoint = await StrictTokenEndpoint.start({ lifetimeSeconds: LIFETIME_S });
    onTestFinished(() => endpoint.close());
    const codexHome = join(await scratchDir(), '.codex');
    await mkdir(codexHome, { mode: 0o700 });
    const path = join(codexHome, 'auth.json');
    const random = new Random(SEED);
    const login = (): LoginTokens => endpoint.login({ accountId: `acct-${String(random.below(2))}` });
    await writeAuthFile(path, chatgptFile(login()));

    const daemons = await DaemonPair.start({ codexHome, tokenEndpoint: endpoint.url, config: CONFIG });
    const judge = new Judge(endpoint, path, daemons.killsAtMs);
    void judge.watch();
    const rivals = [codex0163, codex0166, codex0169].map((rival) => judge.observing(rival));
    const day = new AbortController();
    const { signal } = day;

    const acts = new Map<string, number>();
    const reads = { given: 0, expired: 0, loginRequired: 0, loggedOut: 0, daemonAway: 0, otherwise: 0 };
    const lives = rivals.map((rival, index) =>
      liveAs(rival, {
        path,
        tokenEndpoint: endpoint.url,
        random: new Random(SEED * 100 + index),
        lifetimeSeconds: LIFETIME_S,
        signal,
        login,
        onAct: (name) => acts.set(name, (acts.get(name) ?? 0) + 1),
      }),
    );
    const consumers = Array.from({ length: CONSUMERS }, () =>
      consume({
        sockets: daemons.sockets,
        signal,
        onToken: (accessToken, askedAtMs, answeredAtMs) => {
          reads.given += 1;
          const givenAtMs = Math.max(askedAtMs, answeredAtMs - ON_ITS_WAY_MS);
          if (!endpoint.verifyAccessToken(accessToken, givenAtMs)) reads.expired += 1;
        },
        onFailure: (code) => {
          if (code === 'login_required') {
            reads.loginRequired += 1;
            if (isAliveSince(endpoint, path) > NEWS_TRAVELS_MS)
              judge.violations.push(`login_required at ${new Date().toISOString()}, and the login was alive`);
          } else if (code === 'logged_out') reads.loggedOut += 1;
          else if (code === 'daemon_not_running') reads.daemonAway += 1;
          else reads.otherwise += 1;
        },
      }),
    );

    const person = async (): Promise<void> => {
      let dead = { fingerprint: '', sinceMs: 0 };
      while (await nap(500, signal)) {
        const tokens = tokensIn(await textOf(path));
        if (tokens === null || endpoint.isAlive(tokens.refresh_token)) {
          dead = { fingerprint: '', sinceMs: 0 };
          continue;
        }
        const fingerprint = fingerprintOf(tokens.refresh_token);
        if (dead.fingerprint !== fingerprint) dead = { fingerprint, sinceMs: Date.now() };
        const told = await daemons.active?.account().catch(() => null);
        const waitedMs = Date.now() - dead.sinceMs;
        if (waitedMs < 1000 || (told?.state !== 'login_required' && waitedMs < PATIENCE_MS)) continue;
        judge.mourn(tokens);
        await logInAs(rivals[random.below(3)] ?? codex0163, path, login());
      }
    };
    const killer = async (): Promise<void> => {
      while (await nap(KILL_EVERY_MS, signal)) daemons.kill();
    };
    const guard = async (): Promise<void> => {
      while (await nap(100, signal)) {
        for (const name of ['auth.json.lock', 'auth.lock']) {
          const found = await lstat(join(codexHome, name)).catch(() => null);
          if (found !== null && !found.isFile()) judge.violations.push(`${name} is not a file`);
        }
      }
    };
    const slowness = new Random(SEED * 10);
    const slowServer = async (): Promise<never> => {
      for (;;) {
        const gate = endpoint.holdNext();
        await gate.arrived;
        setTimeout(() => {
          gate.open();
        }, slowness.below(SLOWEST_ANSWER_MS));
      }
    };
    void slowServer();

    const busy = Promise.all([...lives, ...consumers, person(), killer(), guard()]);
    setTimeout(() => {
      day.abort();
    }, DURATION_MS);
    await busy;

    // Nobody else is at work any more: what the daemon says, what is in the file and what the server says are one.
    await logInAs(codex0169, path, login());
    const known = async (): Promise<boolean> => {
      const told = await daemons.active?.account().catch(() => null);
      return told?.state === 'fresh' && (await holds(path, told.fingerprint));
    };
    while (!(await known())) await sleep(50);
    await daemons.stop();
    const text = await readFile(path, 'utf8');

    const ours = endpoint.requests.filter(isOurs);
    const rotated = (requests: typeof ours): number =>
      requests.filter(({ outcome }) => outcome === 'rotated').length;
    console.info({
      seed: SEED,
      rotationsByUs: rotated(ours),
      rotationsByRivals: rotated(endpoint.requests) - rotated(ours),
      reuseByUs: judge.violations.length,
      kills: daemons.killsAtMs.length,
      sentAgainAfterKill: judge.sentAgainAfterKill,
      unaware: judge.unaware,
      daemons: daemons.figures,
      reads,
      deaths: Object.fromEntries(judge.deaths),
      acts: Object.fromEntries([...acts].sort()),
    });
    expect(judge.violations).toEqual([]);
    expect(daemons.unexpected).toEqual([]);
    expect(reads).toMatchObject({ expired: 0 });
    expect(endpoint.isAlive(tokensIn(text)?.refresh_token ?? '')).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readdir(codexHome)).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(rotated(ours)).toBeGreaterThanOrEqual(Math.floor(DURATION_MS / 60_000));
    expect(daemons.killsAtMs.length).toBeGreaterThanOrEqual(Math.floor(DURATION_MS / KILL_EVERY_MS) - 1);
  },
);

/** For how long the file has held a login that the server would honour, in milliseconds; 0 if it does not. */
function isAliveSince(endpoint: StrictTokenEndpoint, path: string): number {
  try {
    const tokens = tokensIn(readFileSync(path, 'utf8'));
    if (tokens === null || !endpoint.isAlive(tokens.refresh_token)) return 0;
    return Date.now() - statSync(path).ctimeMs;
  } catch {
    return 0;
  }
}

async function holds(path: string, fingerprint: string | null): Promise<boolean> {
  const tokens = tokensIn(await readFile(path, 'utf8'));
  return tokens !== null && fingerprintOf(tokens.access_token) === fingerprint;
}
