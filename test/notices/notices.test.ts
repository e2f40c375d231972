import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { expect, describe, it } from 'vitest';
import { DaemonProcess, ownSandbox } from '../support/daemon-process.js';
import { chatgptFile, makeLoginTokens, writeAuthFile } from '../support/login-file.js';
import { StrictTokenEndpoint } from '../support/strict-token-endpoint.js';
import type { Sandbox } from '../cli/run-cli.js';

interface Told {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A home with a notify-send and a hook that write down, a line a call, what they are told. */
class Household {
  readonly sandbox: Sandbox;
  readonly bin: string;

  private constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
    this.bin = join(sandbox.directory, 'bin');
  }

  static async open(): Promise<Household> {
    const household = new Household(await ownSandbox());
    const { bin } = household;
    await mkdir(bin);
    await household.program('notify-send', `printf '%s|' "$@" >> "${bin}/shown"; echo >> "${bin}/shown"`);
    await household.program('hook', `cat >> "${bin}/told"`);
    for (const browser of ['xdg-open', 'open', 'sensible-browser', 'www-browser']) {
      await household.program(browser, `echo opened >> "${bin}/opened"`);
    }
    for (const book of ['shown', 'told', 'opened']) await writeFile(join(bin, book), '');
    return household;
  }

  async program(name: string, script: string): Promise<void> {
    await writeFile(join(this.bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(this.bin, name), 0o755);
  }

  configure(text: string): Promise<void> {
    return writeFile(this.sandbox.configFile, text);
  }

  start(tokenEndpoint?: string): Promise<DaemonProcess> {
    const env = {
      PATH: `${this.bin}:${this.sandbox.env['PATH'] ?? ''}`,
      BROWSER: join(this.bin, 'xdg-open'),
      DISPLAY: ':0',
    };
    return DaemonProcess.start({
      sandbox: this.sandbox,
      env,
      ...(tokenEndpoint === undefined ? {} : { tokenEndpoint }),
    });
  }

  async book(name: 'shown' | 'told' | 'opened'): Promise<string[]> {
    return (await readFile(join(this.bin, name), 'utf8')).split('\n').slice(0, -1);
  }

  async told(): Promise<Told[]> {
    return (await this.book('told')).map((line) => JSON.parse(line) as Told);
  }

  /** Resolves when the lines of a book satisfy the test. */
  async until(book: 'shown' | 'told', satisfied: (lines: string[]) => boolean): Promise<string[]> {
    const changes = watch(join(this.bin, book));
    try {
      for (;;) {
        const changed = new Promise((resolve) => changes.once('change', resolve));
        const lines = await this.book(book);
        if (satisfied(lines)) return lines;
        await changed;
      }
    } finally {
      changes.close();
    }
  }

  async writeLogin(text: string): Promise<void> {
    await writeAuthFile(join(this.sandbox.codexHome, 'auth.json'), text);
  }
}

/** A login whose refresh token the server does not know, and that is due at once. */
function deadLogin(): string {
  return chatgptFile(makeLoginTokens({ issuedAtMs: Date.now() - 3_500_000, lifetimeSeconds: 3600 }));
}

async function startEndpoint(): Promise<StrictTokenEndpoint> {
  const endpoint = await StrictTokenEndpoint.start();
  const { onTestFinished } = await import('vitest');
  onTestFinished(() => endpoint.close());
  return endpoint;
}

const has =
  (event: string) =>
  (lines: string[]): boolean =>
    lines.some((line) => line.includes(`"event":"${event}"`));

describe('a login that is needed', () => {
  it('is shown once, says whose and what to do, and opens nothing', async () => {
    const household = await Household.open();
    const endpoint = await startEndpoint();
    await household.writeLogin(deadLogin());
    const daemon = await household.start(endpoint.url);
    const [line] = await household.until('shown', (lines) => lines.length > 0);
    expect(line).toMatch(/^--app-name=codex-authd\|--\|Codex needs a login \(.+\)\|.*run `codex login`\|$/);
    await daemon.stop();
    expect(await household.book('shown')).toHaveLength(1);
    expect(await household.book('opened')).toEqual([]);
  });

  it('is not shown again after a restart; the next incident is', async () => {
    const household = await Household.open();
    const endpoint = await startEndpoint();
    await household.configure(`on_event = ["${household.bin}/hook"]\n`);
    await household.writeLogin(deadLogin());
    const first = await household.start(endpoint.url);
    // A second notice is enqueued behind the first one only when that is written down.
    await household.until('told', has('login_required'));
    await first.stop();
    const second = await household.start(endpoint.url);
    await second.listen().untilState('login_required');
    await second.stop();
    expect(await household.book('shown')).toHaveLength(1);

    const third = await household.start(endpoint.url);
    await household.writeLogin(deadLogin());
    await household.until('shown', (lines) => lines.length > 1);
    await third.stop();
    expect(await household.book('shown')).toHaveLength(2);
    expect((await household.told()).filter(({ event }) => event === 'login_required')).toHaveLength(2);
  });

  it('is not shown where the configuration says so, and the command is told all the same', async () => {
    const household = await Household.open();
    const endpoint = await startEndpoint();
    await household.configure(`notifications = false\non_event = ["${household.bin}/hook"]\n`);
    await household.writeLogin(deadLogin());
    const daemon = await household.start(endpoint.url);
    await household.until('told', has('login_required'));
    await daemon.stop();
    expect(await household.book('shown')).toEqual([]);
  });
});

describe('the command of on_event', () => {
  it('is told each state and each new credential, as JSON and without any token', async () => {
    const household = await Household.open();
    const endpoint = await startEndpoint();
    await household.configure(`on_event = ["${household.bin}/hook"]\n`);
    await household.writeLogin(chatgptFile(endpoint.login()));
    const daemon = await household.start(endpoint.url);
    const { json } = await daemon.ask('/v1/refresh', 'POST');
    await household.until('told', has('credential'));
    await daemon.stop();
    const told = await household.told();
    expect(told.find(({ event }) => event === 'credential')).toEqual({
      schema: 1,
      event: 'credential',
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      ...Object.fromEntries(Object.entries(json).filter(([name]) => name !== 'access_token')),
    });
    expect(told).toContainEqual(expect.objectContaining({ schema: 1, event: 'state', state: 'refreshing' }));
    expect(JSON.stringify(told)).not.toMatch(/eyJ|refresh_token"/);
  });

  it('is given the access token where the configuration asks for that, and never the other one', async () => {
    const household = await Household.open();
    const endpoint = await startEndpoint();
    const login = endpoint.login();
    await household.configure(`on_event = ["${household.bin}/hook"]\non_event_token = true\n`);
    await household.writeLogin(chatgptFile(login));
    const daemon = await household.start(endpoint.url);
    const { json } = await daemon.ask('/v1/refresh', 'POST');
    const lines = await household.until('told', has('credential'));
    await daemon.stop();
    expect(lines.join('')).toContain(`"access_token":"${String(json['access_token'])}"`);
    const stored = JSON.parse(await readFile(daemon.authFile, 'utf8')) as { tokens: Record<string, string> };
    for (const token of [login.refresh_token, stored.tokens['refresh_token']]) {
      expect(lines.join('')).not.toContain(token);
    }
  });

  it('delays nobody, however slow, and its failure is in the log without what it was given', async () => {
    const household = await Household.open();
    const endpoint = await startEndpoint();
    await household.program('hook', `cat >&2; exit 3`);
    await household.configure(`on_event = ["${household.bin}/hook"]\non_event_token = true\n`);
    await household.writeLogin(chatgptFile(endpoint.login()));
    const daemon = await household.start(endpoint.url);
    const { json } = await daemon.ask('/v1/refresh', 'POST');
    await daemon.logged('the command of `on_event` failed');
    const { stderr } = await daemon.stop();
    expect(stderr).toContain('"failure":"ended with 3"');
    expect(stderr).not.toContain(String(json['access_token']));
  });

  it('may be missing: the daemon says so and goes on', async () => {
    const household = await Household.open();
    const endpoint = await startEndpoint();
    await household.configure('on_event = ["/nowhere/hook"]\n');
    await household.writeLogin(chatgptFile(endpoint.login()));
    const daemon = await household.start(endpoint.url);
    expect((await daemon.ask('/v1/refresh', 'POST')).status).toBe(200);
    await daemon.logged('the command of `on_event` failed');
    expect((await daemon.ask('/v1/token')).status).toBe(200);
  });
});
