import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { examine } from '../../src/doctor/examine.js';
import type { Finding } from '../../src/doctor/finding.js';
import { runCli, type CliEnd, type Sandbox } from '../cli/run-cli.js';
import { ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';

/** What a person would have on the PATH. Each writes down what it was called with, and does what the tests need of it. */
const PROGRAMS = {
  codex: `case "$1" in
    login) cp "$BIN/login.json" "\${CODEX_HOME:-$HOME/.codex}/auth.json" ;;
    --version) cat "$BIN/codex-version" ;;
  esac`,
  npx: `case "$*" in
    '--yes @openai/codex login') cp "$BIN/login.json" "\${CODEX_HOME:-$HOME/.codex}/auth.json" ;;
    *) exit 1 ;;
  esac`,
  npm: `echo 'codex-cli 0.169.0' > "$BIN/codex-version"`,
  systemctl: `case "$*" in
    '--user is-enabled codex-authd.service') cat "$BIN/enablement" ;;
    '--user enable codex-authd.socket codex-authd.service') echo enabled > "$BIN/enablement" ;;
    '--user show --property=Version') test ! -e "$BIN/no-manager" ;;
    *) exit 1 ;;
  esac`,
  'codex-authd': `exec '${process.execPath}' '${fileURLToPath(new URL('../../bin/codex-authd.js', import.meta.url))}' "$@"`,
  loginctl: `case "$1" in
    show-user) cat "$BIN/linger" ;;
    enable-linger) echo yes > "$BIN/linger" ;;
  esac`,
};

/** A home in which everything is well but what a test breaks, and a doctor for it. */
export class Patient {
  readonly sandbox: Sandbox;
  readonly endpoint: StrictTokenEndpoint;
  readonly bin: string;
  readonly authFile: string;

  private constructor(sandbox: Sandbox, endpoint: StrictTokenEndpoint) {
    this.sandbox = sandbox;
    this.endpoint = endpoint;
    this.bin = join(sandbox.directory, 'bin');
    this.authFile = join(sandbox.codexHome, 'auth.json');
  }

  static async admit(): Promise<Patient> {
    const endpoint = await StrictTokenEndpoint.start();
    onTestFinished(() => endpoint.close());
    const patient = new Patient(await ownSandbox(), endpoint);
    const { bin } = patient;
    await mkdir(bin);
    for (const [name, script] of Object.entries(PROGRAMS)) {
      const log = `printf '%s\\n' "$*" >> "$BIN/${name}.log"`;
      await writeFile(join(bin, name), `#!/bin/sh\nBIN=${bin}\n${log}\n${script}\n`);
      await chmod(join(bin, name), 0o755);
    }
    const login = chatgptFile(endpoint.login());
    await writeFile(join(bin, 'login.json'), login, { mode: 0o600 });
    await writeFile(join(bin, 'codex-version'), 'codex-cli 0.169.0\n');
    await writeFile(join(bin, 'enablement'), 'enabled\n');
    await writeFile(join(bin, 'linger'), 'yes\n');
    await writeAuthFile(patient.authFile, login);
    return patient;
  }

  get env(): Record<string, string> {
    const { env } = this.sandbox;
    return {
      ...env,
      PATH: `${this.bin}:${env['PATH'] ?? ''}`,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: this.endpoint.url,
      BIN: this.bin,
    };
  }

  /** What the doctor says of one thing: its worst finding. */
  async finding(id: string, env: Readonly<Record<string, string>> = {}): Promise<Finding> {
    const levels = ['fail', 'warn', 'ok'];
    const whole = { ...this.env, ...env };
    const found = (await examine({ flags: {}, env: whole })).filter((each) => each.id === id);
    const [worst] = found.sort((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level));
    if (worst === undefined) throw new Error(`there is no check ${id}`);
    return worst;
  }

  /** Everything that `doctor --json` says, as a process of its own. */
  async examine(
    env: Readonly<Record<string, string>> = {},
    nodeArgs: readonly string[] = [],
  ): Promise<{ readonly end: CliEnd; readonly findings: Finding[] }> {
    const end = await runCli(this.sandbox, ['doctor', '--json'], { env: { ...this.env, ...env }, nodeArgs });
    if (end.stderr !== '') throw new Error(end.stderr);
    return { end, findings: (JSON.parse(end.stdout) as { findings: Finding[] }).findings };
  }

  /**
   * Runs a command as it was printed, and resolves to the environment that it leaves behind.
   *
   * @throws if it fails
   */
  async follow(
    command: string | null,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, string>> {
    const left = join(this.bin, 'left');
    const child = spawn('/bin/sh', ['-c', `${command ?? 'false'} || exit 1\nenv -0 > '${left}'`], {
      env: { ...this.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`failed: ${command ?? 'nothing'}`);
    const pairs = (await readFile(left, 'utf8')).split('\0').filter((pair) => pair.includes('='));
    return Object.fromEntries(
      pairs.map((pair) => [pair.split('=', 1).join(''), pair.replace(/^[^=]*=/s, '')]),
    );
  }

  /** The calls of one of the programs on the PATH. */
  async calls(program: keyof typeof PROGRAMS): Promise<string[]> {
    const text = await readFile(join(this.bin, `${program}.log`), 'utf8').catch(() => '');
    return text.split('\n').slice(0, -1);
  }
}
