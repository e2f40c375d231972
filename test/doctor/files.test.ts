import {
  chmod,
  chown,
  link,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { judgeSpace } from '../../src/doctor/checks/directory.js';
import { judgeFlock } from '../../src/doctor/checks/locks.js';
import { fileSystemOf } from '../../src/doctor/checks/file-system.js';
import type { TryFlock } from '../../src/os/native.js';
import { writeAuthFile, chatgptFile } from '../support/login-file.js';
import { scratchDir } from '../support/scratch-dir.js';
import { Patient } from './patient.js';

type Breakage = (patient: Patient) => Promise<void>;

const BREAKAGES: readonly (readonly [what: string, id: string, level: string, breakIt: Breakage])[] = [
  ['no auth.json', 'auth-file', 'fail', ({ authFile }) => unlink(authFile)],
  [
    'a link to nothing',
    'auth-file',
    'fail',
    async ({ authFile, bin }) => {
      await unlink(authFile);
      await symlink(join(bin, 'nothing'), authFile);
    },
  ],
  [
    'a directory in its place',
    'auth-file',
    'fail',
    async ({ authFile }) => {
      await unlink(authFile);
      await mkdir(authFile);
    },
  ],
  [
    'a second name of the file',
    'auth-file',
    'warn',
    ({ authFile, bin }) => link(authFile, join(bin, 'second')),
  ],
  ['a file that others may read', 'auth-file-mode', 'fail', ({ authFile }) => chmod(authFile, 0o644)],
  ['a file that its owner may not read', 'auth-file-mode', 'fail', ({ authFile }) => chmod(authFile, 0o200)],
  ['a file that its owner may not write', 'auth-file-mode', 'fail', ({ authFile }) => chmod(authFile, 0o400)],
  [
    'the keyring in its place',
    'credential-store',
    'fail',
    ({ sandbox }) =>
      writeFile(join(sandbox.codexHome, 'config.toml'), 'a = 1\ncli_auth_credentials_store = "keyring"\n'),
  ],
  [
    'the keyring, perhaps',
    'credential-store',
    'warn',
    ({ sandbox }) => writeFile(join(sandbox.codexHome, 'config.toml'), 'cli_auth_credentials_store="auto"\n'),
  ],
  ['no directory', 'directory', 'fail', ({ sandbox }) => rm(sandbox.codexHome, { recursive: true })],
  [
    "a directory where Codex's lock file belongs",
    'codex-locks',
    'fail',
    ({ authFile }) => mkdir(`${authFile}.lock`),
  ],
  [
    'a directory at the other lock file of Codex',
    'codex-locks',
    'fail',
    ({ sandbox }) => mkdir(join(sandbox.codexHome, 'auth.lock')),
  ],
  ['a file that is no login', 'login', 'fail', ({ authFile }) => writeFile(authFile, '{')],
  [
    'a login that Codex published without its refresh token',
    'login',
    'fail',
    async ({ authFile, endpoint }) => {
      const tokens = { ...endpoint.login(), refresh_token: '' };
      await writeAuthFile(authFile, chatgptFile(tokens));
    },
  ],
];

describe('what is found in the files, and mended by the command that is printed', () => {
  it.each(BREAKAGES)('%s', async (_what, id, level, breakIt) => {
    const patient = await Patient.admit();
    expect(await patient.finding(id)).toMatchObject({ level: 'ok', command: null });
    await breakIt(patient);
    const { command, ...found } = await patient.finding(id);
    expect(found.level).toBe(level);
    await patient.follow(command);
    expect(await patient.finding(id)).toMatchObject({ level: 'ok', command: null });
  });

  it('no login, and no codex on the PATH: the SDK brings one, which nobody can call by its name', async () => {
    const patient = await Patient.admit();
    await unlink(patient.authFile);
    await unlink(join(patient.bin, 'codex'));
    const env = { PATH: `${patient.bin}:/usr/bin:/bin` };
    const { command } = await patient.finding('login', env);
    expect(command).toBe('npx --yes @openai/codex login');
    await patient.follow(command, env);
    expect(await patient.finding('login', env)).toMatchObject({ level: 'ok', command: null });
  });

  it('a directory that cannot be written into', async () => {
    const patient = await Patient.admit();
    await chmod(patient.sandbox.codexHome, 0o500);
    const { level, command } = await patient.finding('directory');
    // Root may write everywhere, and is told that it is the only one.
    expect(level).toBe(process.getuid?.() === 0 ? 'warn' : 'fail');
    await patient.follow(command);
    expect(await patient.finding('directory')).toMatchObject({ level: 'ok' });
  });

  it('a file of somebody else', async () => {
    const patient = await Patient.admit();
    const isRoot = process.getuid?.() === 0;
    if (isRoot) {
      await chown(patient.authFile, 65534, 65534);
    } else {
      await unlink(patient.authFile);
      await symlink('/etc/passwd', patient.authFile);
    }
    const { level, command } = await patient.finding('auth-file-owner');
    if (isRoot) {
      // Who made it root's would take it away from its owner.
      const asOwner = "sudo --set-home --user='#65534' codex-authd doctor";
      expect({ level, command }).toEqual({ level: 'warn', command: asOwner });
      return;
    }
    expect(level).toBe('fail');
    expect(command).toMatch(/^sudo chown \d+ '/);
    await unlink(patient.authFile);
    expect(await patient.finding('auth-file-owner')).toMatchObject({ level: 'ok' });
  });

  it('a login in memory that ends with the machine', async () => {
    const patient = await Patient.admit();
    const home = await mkdtemp('/dev/shm/authd-');
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    await writeAuthFile(join(home, 'auth.json'), chatgptFile(patient.endpoint.login()));
    const env = { CODEX_HOME: home };
    const another = await readFile(patient.authFile, 'utf8');
    const { level, found, command } = await patient.finding('file-system', env);
    expect({ level, found }).toEqual({
      level: 'warn',
      found: 'auth.json lies on tmpfs: the login is gone when the machine starts anew',
    });
    await expect(patient.follow(command, env)).rejects.toThrow('failed');
    expect(await readFile(patient.authFile, 'utf8')).toBe(another);
    await unlink(patient.authFile);
    expect((await patient.follow(command, env))['CODEX_HOME']).toBeUndefined();
    expect((await patient.finding('auth-file')).found).toBe(patient.authFile);
  });

  it('a login in memory whose place nobody has chosen: there is nothing to be mended', async () => {
    const patient = await Patient.admit();
    const home = await mkdtemp('/dev/shm/authd-');
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    await mkdir(join(home, '.codex'), { mode: 0o700 });
    await writeAuthFile(join(home, '.codex', 'auth.json'), chatgptFile(patient.endpoint.login()));
    for (const env of [{ HOME: home }, { HOME: home, CODEX_HOME: join(home, '.codex') }]) {
      expect(await patient.finding('file-system', env)).toMatchObject({
        level: 'ok',
        found: expect.stringContaining('lies on tmpfs') as unknown,
      });
    }
  });

  it('file systems by their numbers, also where these are negative', () => {
    expect(fileSystemOf(0x6969)).toMatchObject({ name: 'NFS', flaw: expect.any(String) });
    expect(fileSystemOf(0xff534d42 | 0)).toMatchObject({ name: 'CIFS', flaw: expect.any(String) });
    expect(fileSystemOf(0x9123683e).flaw).toBeNull();
  });

  it('too little room, by what is free', () => {
    const largest = "du -xak '/home/ada/.codex' | sort -n | tail";
    expect(judgeSpace(1000, '/home/ada/.codex')).toMatchObject({ level: 'fail', command: largest });
    expect(judgeSpace(2 ** 21, '/home/ada/.codex')).toMatchObject({ level: 'warn', command: largest });
    expect(judgeSpace(2 ** 30, '/home/ada/.codex')).toMatchObject({ level: 'ok', command: null });
  });
});

describe('what is found of flock where the lock file of Codex lies', () => {
  const answers: readonly (readonly [what: string, flock: TryFlock | null, level: string])[] = [
    ['no fault where it is had', () => true, 'ok'],
    ['no fault where somebody has it', () => false, 'ok'],
    ['no fault of the file where koffi is missing, which is told elsewhere', null, 'ok'],
    ['that its file system has none', () => null, 'warn'],
    [
      'that it fails',
      () => {
        throw new Error('flock failed: EIO');
      },
      'warn',
    ],
  ];

  it.each(answers)('is %s', async (_what, flock, level) => {
    const path = join(await scratchDir(), 'auth.lock');
    await writeFile(path, '');
    expect(await judgeFlock(path, flock)).toMatchObject({ level });
  });

  it('is nothing where the file is not there or may not be opened, and none is made', async () => {
    const directory = await scratchDir();
    const none = (): null => null;
    expect(await judgeFlock(join(directory, 'auth.lock'), none)).toMatchObject({ level: 'ok' });
    expect(await readdir(directory)).toEqual([]);
  });
});
