import { readLogin } from '../../src/core/login.js';
import { REASONS } from '../../src/core/reasons.js';
import { Secret } from '../../src/core/secret.js';
import type { KeeperState } from '../../src/core/state.js';
import type { Daemon } from './world/daemon.js';
import type { Inspector } from './world/inspector.js';
import type { VirtualServer } from './world/server.js';
import type { World } from './world/world.js';
import type { Plan } from './plan.js';

const HOUR_MS = 3600 * 1000;
/** What waits for a file that is away, or in whose place is another account’s, is dropped then. */
const LONGEST_WAIT_MS = 30 * 24 * 3600 * 1000;
const HEALING_MS = 120_000;
/** Longer than anybody waits for a lease, and a request for its answer. */
const PICKING_MS = 120_000;

/**
 * Everything is well from now on. What is in the file decides how the run must end: a login that the server still knows is
 * kept; one that is lost must have been lost by somebody else, and the state must say so.
 */
export async function judgeEnd(
  world: World,
  daemons: readonly Daemon[],
  plan: Plan,
  goOn: (isOver: () => boolean) => Promise<void>,
): Promise<void> {
  const { timeline, inspector } = world;
  world.trouble = null;
  world.network.heal();
  world.note('*** all is well');
  const untilMs = timeline.nowMs + 2 * plan.lifetimeMs + HOUR_MS;
  let isOver = false;
  timeline.after(
    untilMs - timeline.nowMs,
    () => {
      isOver = true;
    },
    false,
  );
  await goOn(() => isOver);
  if (inspector.violation !== null) return;
  world.isWell = true;

  const daemon = await pick(world, daemons, goOn);
  if (daemon?.kept == null) {
    inspector.blame('no daemon is up, although all is well');
    return;
  }
  const { name, reason } = daemon.kept.keeper.state;
  const seen = `${name} (${reason})`;
  world.note('*** at the end:', seen);
  const text = world.disk.read(world.realPath);
  const login = text === null ? null : readLogin(text);
  const token = login?.kind === 'chatgpt' ? login.refreshToken.reveal() : '';
  // What a loss of power has mixed from two logins is nobody's.
  const isMixed =
    login?.kind === 'chatgpt' && !world.server.isPair(login.credential.accessToken.reveal(), token);
  if (isMixed) return;
  if (login === null) expectState(world, seen, ['logged_out']);
  else if (login.kind === 'none') expectState(world, seen, [REASONS[login.reason].state]);
  else if (login.kind !== 'chatgpt') expectState(world, seen, ['fresh']);
  else if (world.server.isLive(token)) {
    expectState(world, seen, ['fresh', 'refreshing']);
    for (const part of [0.25, 0.9]) {
      let outcome = 'none';
      void daemon.ask({ minValidMs: part * plan.lifetimeMs, waitMs: 60_000 }).then((result) => {
        outcome = result;
      });
      await goOn(() => outcome !== 'none');
      if (outcome !== 'served') inspector.blame(`a consumer was ${outcome}, although all is well`);
    }
    await judgeHealing(daemons, inspector, goOn);
  } else {
    expectState(world, seen, ['login_required']);
    blameForLoss(world, token);
  }
  await goOn(() => daemon.kept?.keeper.flight == null);
  blameForLeftovers(world, reason === 'valid');
  blameForJournals(world, daemon, plan, token);
}

/**
 * A token that is ended now is replaced within the minute between two rotations on reports, and some: by one daemon at
 * least, because the one that has not got the account's lock can only say so.
 */
async function judgeHealing(
  daemons: readonly Daemon[],
  inspector: Inspector,
  goOn: (isOver: () => boolean) => Promise<void>,
): Promise<void> {
  const outcomes: string[] = [];
  for (const daemon of daemons) {
    const fingerprint = daemon.kept?.keeper.snapshot().login?.fingerprint ?? '';
    const report = daemon.report({ fingerprint, minValidMs: 0, waitMs: HEALING_MS });
    void report.then((outcome) => outcomes.push(outcome));
  }
  await goOn(() => outcomes.length === daemons.length);
  if (!outcomes.includes('served')) inspector.blame(`a rejected token was not replaced: ${outcomes.join()}`);
}

/** The one that has the account's lock: another one can only say that it has not, once it has waited for it. */
async function pick(
  world: World,
  daemons: readonly Daemon[],
  goOn: (isOver: () => boolean) => Promise<void>,
): Promise<Daemon | undefined> {
  // One that has tokens which it could not store yet says so, and why: it has not got the lock either.
  const isElsewhere = ({ reason, detail }: KeeperState): boolean =>
    reason === 'locked_elsewhere' || detail.includes(' is kept by ');
  const isKeeping = ({ kept }: Daemon): boolean =>
    kept !== null && kept.keeper.flight === null && !isElsewhere(kept.keeper.state);
  const giveUpAtMs = world.timeline.nowMs + PICKING_MS;
  await goOn(() => daemons.some(isKeeping) || world.timeline.nowMs > giveUpAtMs);
  return daemons.find(isKeeping) ?? daemons.find(({ kept }) => kept !== null);
}

function expectState(world: World, seen: string, names: readonly string[]): void {
  if (names.some((name) => seen.startsWith(name))) return;
  world.inspector.blame(`the state is ${seen} at the end, and should be ${names.join(' or ')}`);
}

/** The login in the file is dead: somebody must have done that. */
function blameForLoss(world: World, token: string): void {
  const grant = world.server.grantOf(token);
  if (grant?.family.ended !== null || grant.spentBy !== 'us') return;
  const sendings = world.inspector.sendings.filter((sending) => sending.token === token);
  const { nowMs } = world.timeline;
  const isExcused = sendings.some(
    ({ child, excuse, sentAtMs }) => child === null || excuse !== null || nowMs - sentAtMs > LONGEST_WAIT_MS,
  );
  if (!isExcused) world.inspector.blame('the login was lost, and nobody but us can have lost it');
}

/** When all is well, nothing is left half done. */
function blameForLeftovers(world: World, isKept: boolean): void {
  // One that could not be removed at its time goes with the next rotation.
  const stages = world.hadDiskTrouble && !isKept ? 0 : world.stages().length;
  if (stages > 0) world.inspector.blame(`${String(stages)} temporary files are left beside auth.json`);
}

function endOf(server: VirtualServer, accessToken: string | null): number {
  return server.accessOf(accessToken ?? '')?.expiresAtMs ?? 0;
}

/**
 * Of what is over no journal is left, but where it tells that the token in the file may be spent, or holds what another
 * account's file waits for.
 */
function blameForJournals(world: World, daemon: Daemon, plan: Plan, token: string): void {
  if (token === '' || (plan.isApart && plan.daemons > 1)) return;
  const { server, inspector, disk, realPath } = world;
  const account = server.grantOf(token)?.family.account;
  const inFile = readLogin(disk.read(realPath) ?? '');
  const access = inFile.kind === 'chatgpt' ? inFile.credential.accessToken.reveal() : '';
  // Of an old copy nobody may have known that it is one before its token was rejected.
  const isCopy = server.grantOf(token)?.spentBy != null;
  const others = inspector.sendings.filter((sending) => {
    const of = server.grantOf(sending.token)?.family.account;
    const isNewer = endOf(server, sending.access) > endOf(server, access);
    return sending.child !== null && (of !== account || isCopy || isNewer);
  });
  const due = [token, ...others.map((sending) => sending.token)].map(
    (each) => `.${new Secret(each).fingerprint}.journal`,
  );
  const left = world
    .journalsOf(daemon.process.stateDirectory)
    .filter((name) => !due.some((suffix) => name.endsWith(suffix)));
  if (left.length > 0) world.inspector.blame(`journals are left: ${left.join(', ')}`);
}
