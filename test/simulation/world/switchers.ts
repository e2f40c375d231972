import type { Inode } from './disk.js';
import { loginDocument, parseDocument, textOf } from './login-text.js';
import type { VirtualProcess } from './process.js';
import type { World } from './world.js';

/** What people do with auth.json by hand, or with a tool that knows nothing of locks. All of them undo it after a while. */
export type Handling =
  /** The file is away for a while. */
  | 'take away'
  /** An account switcher keeps the file for its account, and puts another account's in its place. */
  | 'switch account'
  /** A link leads to another account's file for a while. */
  | 'turn link';

const HANDLINGS: ReadonlySet<string> = new Set<Handling>(['take away', 'switch account', 'turn link']);
const OTHER_ACCOUNT: Readonly<Record<string, string>> = {
  somebody: 'somebody-else',
  'somebody-else': 'somebody',
};

export function isHandling(deed: string): deed is Handling {
  return HANDLINGS.has(deed);
}

/** Handles the file, waits for a part of a token's life, and undoes it. */
export async function handle(world: World, process: VirtualProcess, handling: Handling): Promise<void> {
  const waitMs = (world.random.next() * world.server.lifetimeMs) / 2;
  switch (handling) {
    case 'take away':
      await move(world, process, 'auth.json', 'auth.json.off');
      await process.wait(waitMs);
      return move(world, process, 'auth.json.off', 'auth.json');
    case 'switch account':
      await switchAccount(world, process);
      await process.wait(waitMs);
      return switchAccount(world, process);
    case 'turn link':
      await turnLink(world, process);
      await process.wait(waitMs);
      return turnLink(world, process);
  }
}

/** `mv` in the home: a link is moved as one. */
function move(world: World, process: VirtualProcess, from: string, to: string): Promise<void> {
  return change(world, process, (home) => {
    const node = home.now.get(from);
    if (node === undefined) return;
    home.set(from, null);
    home.set(to, node);
  });
}

function switchAccount(world: World, process: VirtualProcess): Promise<void> {
  return change(world, process, (home) => {
    const text = world.disk.read(world.realPath);
    const account = parseDocument(text)?.tokens?.account_id;
    const other = OTHER_ACCOUNT[account ?? ''];
    if (text === null || account === undefined || other === undefined) return;
    home.set(`auth.json.${account}`, fileOf(world, text));
    const kept = world.disk.read(`${world.home}/auth.json.${other}`) ?? freshLogin(world, other);
    world.disk.put(world.realPath, fileOf(world, kept));
  });
}

function turnLink(world: World, process: VirtualProcess): Promise<void> {
  return change(world, process, (home) => {
    const { disk } = world;
    const node = home.now.get('auth.json');
    if (node === undefined || !('target' in node)) return;
    const isFirst = node.target === '/data/auth.json';
    const target = isFirst ? '/data/other.json' : '/data/auth.json';
    if (disk.find(target) === undefined) disk.put(target, fileOf(world, freshLogin(world, 'somebody-else')));
    home.set('auth.json', { target });
  });
}

type Home = NonNullable<ReturnType<World['disk']['directories']['get']>>;

/** In one step, and so that it outlives a loss of power: what people lose by themselves is not of interest. */
async function change(world: World, process: VirtualProcess, work: (home: Home) => void): Promise<void> {
  const path = `${world.home}/auth.json`;
  await process.operate('rename', path, () => {
    const home = world.disk.directories.get(world.home);
    if (home === undefined) return;
    work(home);
    home.sync();
    world.disk.directories.get('/data')?.sync();
    world.onWritten(process, path);
  });
}

function freshLogin(world: World, account: string): string {
  return textOf(loginDocument(world.server.logIn(account), world.nextNote(), world.timeline.nowMs));
}

function fileOf(world: World, text: string): Inode {
  const inode = world.disk.makeInode(0o600, world.timeline.nowMs);
  inode.now = { bytes: Buffer.from(text), size: Buffer.byteLength(text) };
  inode.durable = inode.now;
  return inode;
}
