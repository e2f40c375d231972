import { describe, expect, it } from 'vitest';
import { passingPaths, type DaemonCommand } from '../../src/service/daemon-command.js';
import { readInheritance } from '../../src/service/inheritance.js';
import { summarize } from '../../src/service/summary.js';
import { renderUnits } from '../../src/service/systemd-units.js';

const COMMAND: DaemonCommand = {
  node: '/opt/$tools/bin/node',
  script: '/opt/my $tools/100%/codex-authd.js',
  args: ['run', '--codex-home', '/srv/"codex"'],
  environment: { HTTPS_PROXY: 'http://ada:p%40ss@proxy.example.test' },
  socket: '/run/user/1000/codex-authd/authd.sock',
};

describe('the units', () => {
  it('name this Node and this script, each word as systemd reads it', async () => {
    const { service, socket } = await renderUnits(COMMAND, { XDG_RUNTIME_DIR: '/run/user/1000' }, 'full');
    const line = String.raw`ExecStart=/opt/$tools/bin/node "/opt/my $$tools/100%%/codex-authd.js" run --codex-home "/srv/\"codex\""`;
    expect(service).toContain(`\n${line}\n`);
    expect(service).toContain('\nEnvironment=HTTPS_PROXY=http://ada:p%%40ss@proxy.example.test\n');
    expect(service).not.toContain('/usr/bin/env');
    expect(socket).toContain('\nListenStream=%t/codex-authd/authd.sock\n');
  });

  it('listen where clients look, wherever that is', async () => {
    const { socket } = await renderUnits({ ...COMMAND, socket: '/srv/100%/a.sock' }, {}, 'full');
    expect(socket).toContain('\nListenStream=/srv/100%%/a.sock\n');
  });

  it('never forbid memory that is written and run, and name no namespace where there is none', async () => {
    const full = await renderUnits(COMMAND, {}, 'full');
    const bare = await renderUnits(COMMAND, {}, 'without namespaces');
    for (const { service } of [full, bare]) expect(service).not.toMatch(/^MemoryDenyWriteExecute/m);
    expect(full.service).toMatch(/^PrivateUsers=yes$/m);
    expect(bare.service).not.toMatch(/^(PrivateUsers|CapabilityBoundingSet|ProtectSystem|PrivateDevices)=/m);
    expect(bare.service).toMatch(/^NoNewPrivileges=yes$/m);
  });

  it('are warned of where Node or the script lie in somebody else’s cache', () => {
    const node = '/home/ada/.nvm/versions/node/v20.20.2/bin/node';
    const script = '/home/ada/.npm/_npx/0c1e/node_modules/codex-authd/bin/codex-authd.js';
    expect(passingPaths({ ...COMMAND, node, script })).toEqual([node, script]);
    expect(passingPaths(COMMAND)).toEqual([]);
  });
});

describe('what systemd gives to the daemon', () => {
  const given = {
    NOTIFY_SOCKET: '@notify',
    ...{ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7', LISTEN_FDS: '1', LISTEN_PID: '7' },
  };

  it('is taken by the process that it is meant for, and by no other', () => {
    expect(readInheritance(given, 7)).toEqual({ notifySocket: '@notify', watchdogMs: 60_000, listener: 3 });
    expect(readInheritance(given, 8)).toMatchObject({ watchdogMs: undefined, listener: undefined });
    expect(readInheritance({}, 7)).toEqual({});
  });
});

it('one account speaks for itself, several by their names', () => {
  const work = { account: 'work', state: 'fresh', detail: 'the access token is valid' };
  expect(summarize([work])).toBe('fresh: the access token is valid');
  expect(summarize([work, { ...work, account: 'home' }])).toBe(
    'work fresh: the access token is valid; home fresh: the access token is valid',
  );
});
