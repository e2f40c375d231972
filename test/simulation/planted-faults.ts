import { constants } from 'node:fs';
import type { AccountRecord } from '../../src/core/account-record.js';
import type { FileSystem, OpenFile } from '../../src/os/file-system.js';
import type { Surroundings } from '../../src/surroundings.js';
import type { Tamper } from './run.js';

/** What each of these would cost somebody: daemons that are wrong in one point, for the checker to find. */
export const PLANTED_FAULTS: Readonly<Record<string, Tamper>> = {
  'skip the sync of directories': onFiles((file, path) =>
    isDirectory(path) ? { ...file, sync: () => Promise.resolve() } : file,
  ),
  'skip the sync of the new auth.json': onFiles((file, path) => {
    if (!isStage(path)) return file;
    let isWritten = false;
    return {
      ...file,
      truncate(length) {
        isWritten = true;
        return file.truncate(length);
      },
      sync: () => (isWritten ? Promise.resolve() : file.sync()),
    };
  }),
  'skip the sync of the journal': onFiles((file, path) =>
    isJournal(path) ? { ...file, sync: () => Promise.resolve() } : file,
  ),
  'send before there is room for the answer': onFiles((file, path) =>
    isJournal(path)
      ? { ...file, write: (bytes, at) => (at === 0 ? file.write(bytes, at) : Promise.resolve(bytes.length)) }
      : file,
  ),
  'keep the answer in memory only': onFiles((file, path) =>
    isJournal(path) ? { ...file, writeNow: (bytes) => bytes.length } : file,
  ),
  'forget what the journal tells': onFileSystem((fs) => ({
    ...fs,
    readdir: async (path) => (await fs.readdir(path)).filter((name) => !isJournal(name)),
  })),
  'know only its own state directory': (surroundings, process) =>
    onFileSystem((fs) => ({
      ...fs,
      readdir: async (path) =>
        (await fs.readdir(path)).filter((name) => path === process.stateDirectory || !isJournal(name)),
    }))(surroundings),
  'clear the journal before the commit': onFileSystem((fs) => ({
    ...fs,
    async open(path, flags, mode) {
      const file = await fs.open(path, flags, mode);
      if (!isJournal(path)) return file;
      const close = async (): Promise<void> => {
        await fs.unlink(path).catch(() => undefined);
        await file.close();
      };
      let isAnswered = false;
      return {
        ...file,
        writeNow(bytes, at) {
          isAnswered = true;
          return file.writeNow(bytes, at);
        },
        async sync() {
          await file.sync();
          if (isAnswered) await close();
        },
      };
    },
  })),
  'commit without the compare': onFileSystem((fs) => {
    let isCommitting = false;
    let seen: OpenFile | null = null;
    return {
      ...fs,
      async open(path, flags, mode) {
        if (path.endsWith('/auth.json.lock')) isCommitting = true;
        if (isCommitting && seen !== null && path.endsWith('/auth.json')) return seen;
        const file = await fs.open(path, flags, mode);
        if (path.endsWith('/auth.json')) seen = await remember(file);
        return file;
      },
      async rename(from, to) {
        isCommitting = false;
        await fs.rename(from, to);
      },
      stat: async (path) =>
        isCommitting && seen !== null && path.endsWith('/auth.json') ? seen.stat() : fs.stat(path),
    };
  }),
  'write in place instead of renaming': onFileSystem((fs) => ({
    ...fs,
    async rename(from, to) {
      if (!to.endsWith('/auth.json')) return fs.rename(from, to);
      const source = await remember(await fs.open(from, constants.O_RDONLY));
      const bytes = new Uint8Array((await source.stat()).size);
      await source.read(bytes, 0);
      const file = await fs.open(to, constants.O_WRONLY);
      await file.truncate(0);
      await file.write(bytes, 0);
      // All that is wrong with it is what a reader sees meanwhile.
      await file.sync();
      await file.close();
      await fs.unlink(from);
    },
  })),
  'write for everyone to read': onFileSystem((fs) => ({
    ...fs,
    open: (path, flags, mode) => fs.open(path, flags, isStage(path) ? 0o644 : mode),
  })),
  'drop the fields that nobody knows': onFiles((file, path) =>
    isStage(path)
      ? { ...file, write: (bytes, at) => file.write(withoutNote(bytes), at).then(() => bytes.length) }
      : file,
  ),
  'retry an unknown outcome at once': onEndpoint((send) => async (...sending) => {
    const answer = await send(...sending);
    return answer.kind === 'lost' ? send(...sending) : answer;
  }),
  'know nothing of Retry-After': onEndpoint((send) => async (...sending) => {
    const answer = await send(...sending);
    return answer.kind === 'answered' ? { ...answer, retryAfter: null } : answer;
  }),
  'ask a dead token again': onEndpoint((send) => async (...sending) => {
    const answer = await send(...sending);
    return answer.kind === 'answered' && answer.status === 401 ? { ...answer, status: 503 } : answer;
  }),
  'serve after a logout': onFileSystem((fs) => {
    const last = new Map<string, OpenFile>();
    return {
      ...fs,
      async open(path, flags, mode) {
        const known = last.get(path);
        try {
          const file = await fs.open(path, flags, mode);
          if (path.endsWith('/auth.json')) last.set(path, await remember(file));
          return file;
        } catch (error) {
          if (known === undefined) throw error;
          return known;
        }
      },
      stat: (path) =>
        fs.stat(path).catch((error: unknown) => last.get(path)?.stat() ?? Promise.reject(error as Error)),
    };
  }),
  'make a directory where Codex locks': (surroundings) => ({
    ...surroundings,
    sharedLocks: {
      ...surroundings.sharedLocks,
      take: (path, onLost) =>
        surroundings.sharedLocks.take(path.replace('.codex-authd.lock', '.lock'), onLost),
    },
  }),
  'know nothing of other daemons': (surroundings) =>
    onFiles((file, path) =>
      path.endsWith('.owner') ? { ...file, tryLock: () => Promise.resolve(true) } : file,
    )({ ...surroundings, sharedLocks: { ...surroundings.sharedLocks, take: () => Promise.resolve(LOCK) } }),
  'send without asking whether the lease is still its own': (surroundings) => ({
    ...onFiles(readingOwnWord())(surroundings),
    sharedLocks: {
      ...surroundings.sharedLocks,
      async take(path) {
        const lock = await surroundings.sharedLocks.take(path, () => undefined);
        return lock === null ? null : { ...LOCK, release: () => lock.release() };
      },
    },
  }),
  'know nothing of Codex’s locks': onFiles((file, path) =>
    path.endsWith('/auth.lock') || path.endsWith('/auth.json.lock')
      ? { ...file, tryLock: () => Promise.resolve(true) }
      : file,
  ),
  'hold Codex’s locks across the network': onFileSystem((fs) => {
    const held: OpenFile[] = [];
    return {
      ...fs,
      async open(path, flags, mode) {
        const file = await fs.open(path, flags, mode);
        if (!path.endsWith('/auth.json.lock')) return file;
        held.push(file);
        return {
          ...file,
          tryLock: () => Promise.any(held.map((each) => isTrue(each.tryLock()))),
          close: () => Promise.resolve(),
        };
      },
      async rename(from, to) {
        await fs.rename(from, to);
        if (to.endsWith('/auth.json')) for (const file of held.splice(0)) await file.close();
      },
    };
  }),
  'number anew after every start': onFileSystem((fs) => ({
    ...fs,
    rename: (from, to) =>
      to.endsWith('.json') && !to.endsWith('/auth.json') ? fs.unlink(from) : fs.rename(from, to),
  })),
  'write no spent token down': onFiles((file, path) =>
    path.endsWith('.json.new')
      ? { ...file, write: (bytes, at) => file.write(withoutSpent(bytes), at).then(() => bytes.length) }
      : file,
  ),
  'drop what waits for a file that is away': (surroundings, { stateDirectory }) =>
    onFileSystem((fs) => ({
      ...fs,
      open: (path, flags, mode) =>
        fs.open(path, flags, mode).catch(async (error: unknown) => {
          if (path.endsWith('/auth.json')) {
            const names = await fs.readdir(stateDirectory).catch(() => []);
            for (const name of names.filter(isJournal)) await fs.unlink(`${stateDirectory}/${name}`);
          }
          throw error;
        }),
    }))(surroundings),
  'drop what waits for another account to leave': (surroundings, { stateDirectory }) =>
    onFiles((file, path) => {
      if (!path.endsWith('/auth.json')) return file;
      return {
        ...file,
        async read(bytes, position) {
          const count = await file.read(bytes, position);
          const isAnothers = Buffer.from(bytes.subarray(0, count)).includes('somebody-else');
          if (!isAnothers) return count;
          const { fs } = surroundings;
          const names = await fs.readdir(stateDirectory).catch(() => []);
          for (const name of names.filter(isJournal)) await fs.unlink(`${stateDirectory}/${name}`);
          return count;
        },
      };
    })(surroundings),
  'believe a clock that is two hours behind': (surroundings) => ({
    ...surroundings,
    clock: { ...surroundings.clock, now: () => surroundings.clock.now() - 2 * 3600 * 1000 },
    openEndpoint: (config) => undated(surroundings.openEndpoint(config)),
  }),
  'look at the file for the last time before it connects': onEndpoint(
    (send) => async (token, onBytes, mayLeave) => {
      const isRight = await mayLeave();
      return send(token, onBytes, () => Promise.resolve(isRight));
    },
  ),
  'take the file for a torn one after every second start': (surroundings, { name }) =>
    onFiles((file, path) =>
      path.endsWith('/auth.json') && /[02468]$/.test(name)
        ? { ...file, read: () => Promise.resolve(0) }
        : file,
    )(surroundings),
  'write a refresh token into the log': (surroundings) =>
    onEndpoint((send) => (...sending) => {
      const [token] = sending;
      surroundings.log.info({ token: token.reveal() }, 'sending');
      return send(...sending);
    })(surroundings),
  'leave temporary files behind': onFileSystem((fs) => ({
    ...fs,
    unlink: (path) => (isStage(path) ? Promise.resolve() : fs.unlink(path)),
  })),
};

type Endpoint = ReturnType<Surroundings['openEndpoint']>;
type Send = Awaited<ReturnType<Endpoint['prepare']>>;

const LOCK = {
  isCompromised: false,
  confirm: () => Promise.resolve(true),
  release: () => Promise.resolve(),
};

/** Of the owner's file: whoever wrote it once reads that ever after. */
function readingOwnWord(): (file: OpenFile, path: string) => OpenFile {
  const told = new Map<string, Uint8Array>();
  return (file, path) => {
    if (!path.endsWith('.owner')) return file;
    return {
      ...file,
      write(bytes, at) {
        if (at === 0) told.set(path, bytes.slice());
        return file.write(bytes, at);
      },
      read(into, at) {
        const word = told.get(path);
        if (word === undefined) return file.read(into, at);
        const piece = word.subarray(at, at + into.length);
        into.set(piece);
        return Promise.resolve(piece.length);
      },
    };
  };
}

function onFileSystem(change: (fs: FileSystem) => FileSystem): (surroundings: Surroundings) => Surroundings {
  return (surroundings) => ({ ...surroundings, fs: change(surroundings.fs) });
}

function onFiles(
  change: (file: OpenFile, path: string) => OpenFile,
): (surroundings: Surroundings) => Surroundings {
  return onFileSystem((fs) => ({
    ...fs,
    open: async (path, flags, mode) => change(await fs.open(path, flags, mode), path),
  }));
}

function onEndpoint(change: (send: Send) => Send): (surroundings: Surroundings) => Surroundings {
  return (surroundings) => ({
    ...surroundings,
    openEndpoint(config) {
      const endpoint = surroundings.openEndpoint(config);
      return { ...endpoint, prepare: async () => change(await endpoint.prepare()) };
    },
  });
}

/** Without the server's clock nothing puts a wrong one right. */
function undated(endpoint: Endpoint): Endpoint {
  return {
    ...endpoint,
    prepare: async () => {
      const send = await endpoint.prepare();
      return async (...sending) => {
        const answer = await send(...sending);
        return answer.kind === 'answered' ? { ...answer, date: null } : answer;
      };
    },
  };
}

/** A file as it is now, for ever. */
async function remember(file: OpenFile): Promise<OpenFile> {
  const stat = await file.stat();
  const bytes = new Uint8Array(stat.size);
  await file.read(bytes, 0);
  return {
    ...file,
    stat: () => Promise.resolve(stat),
    read(into, position) {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
    close: () => Promise.resolve(),
  };
}

async function isTrue(lock: Promise<boolean | null>): Promise<boolean> {
  if ((await lock) !== true) throw new Error('not this one');
  return true;
}

function withoutNote(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('utf8');
  return Buffer.from(text.replace(/,\s*"note": \d+/, (note) => ' '.repeat(note.length)));
}

/** The record of an account as if no token had been spent. */
function withoutSpent(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('utf8');
  const record = JSON.parse(text) as AccountRecord;
  const dead = record.dead.filter(({ reason }) => reason !== 'refresh_token_spent');
  return Buffer.from(JSON.stringify({ ...record, dead }).padEnd(bytes.length));
}

function isDirectory(path: string): boolean {
  return path.endsWith('/.codex') || path.endsWith('/codex-authd') || path === '/data';
}

function isStage(path: string): boolean {
  return /\/\.(?:auth|other)\.json\.codex-authd-/.test(path);
}

function isJournal(path: string): boolean {
  return path.endsWith('.journal');
}
