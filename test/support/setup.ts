/**
 * Runs before every test file: no test, and no process that a test starts, reaches the network or the files of the
 * person who runs it.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import './loopback-only.mjs';

const home = mkdtempSync(join(tmpdir(), 'authd-home-'));
const report = join(home, 'refused');
writeFileSync(report, '');

/** What would lead a program under test to the login, the proxy or the daemon of whoever runs the tests. */
const FOREIGN =
  /^((https?|all|no)_proxy|codex_.*|openai_.*|chatgpt_.*|ssl_cert_(file|dir)|xdg_.*|notify_socket|listen_(fds|pid|fdnames)|(no|force)_color)$/i;

for (const name of Object.keys(process.env)) {
  if (FOREIGN.test(name)) Reflect.deleteProperty(process.env, name);
}
Object.assign(process.env, {
  HOME: home,
  CODEX_HOME: makeDirectory('codex'),
  XDG_CONFIG_HOME: makeDirectory('config'),
  XDG_STATE_HOME: makeDirectory('state'),
  XDG_CACHE_HOME: makeDirectory('cache'),
  XDG_DATA_HOME: makeDirectory('data'),
  XDG_RUNTIME_DIR: makeDirectory('run'),
  // Nobody listens on port 1: a program that forgets to be told its token endpoint spends no real token.
  CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'http://127.0.0.1:1/',
  LOOPBACK_ONLY_REPORT: report,
  NODE_OPTIONS: withPreload(process.env['NODE_OPTIONS'] ?? ''),
});

afterEach(() => {
  const refused = readFileSync(report, 'utf8');
  writeFileSync(report, '');
  if (refused !== '') throw new Error(`this test tried to leave the machine:\n${refused}`);
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

function makeDirectory(name: string): string {
  const path = join(home, name);
  mkdirSync(path, { mode: 0o700 });
  return path;
}

function withPreload(options: string): string {
  const preload = `--import=${new URL('./loopback-only.mjs', import.meta.url).href}`;
  return options.includes(preload) ? options : `${options} ${preload}`.trim();
}
