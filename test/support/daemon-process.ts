import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { readEvents, type AuthdEvent } from '../../src/client/events.js';
import { readStatus } from '../../src/client/status.js';
import type { AccountStatus } from '../../src/protocol.js';
import { makeSandbox, startCli, type CliEnd, type RunningCli, type Sandbox } from '../cli/run-cli.js';

export interface DaemonOptions {
  /** The home to run in; a new one if none is given. */
  readonly sandbox?: Sandbox;
  readonly tokenEndpoint?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The script of another installation than this checkout. */
  readonly script?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A sandbox that is removed when the test is over. */
export async function ownSandbox(): Promise<Sandbox> {
  const sandbox = await makeSandbox();
  onTestFinished(() => sandbox.remove());
  return sandbox;
}

/** The real daemon as a process of its own, killed when the test is over. */
export class DaemonProcess {
  readonly sandbox: Sandbox;
  readonly authFile: string;
  readonly socket: string;
  readonly cli: RunningCli;

  private constructor(sandbox: Sandbox, cli: RunningCli) {
    this.sandbox = sandbox;
    this.authFile = join(sandbox.codexHome, 'auth.json');
    this.socket = sandbox.socket;
    this.cli = cli;
  }

  /** Starts a daemon and does not wait for it. */
  static async spawn(options: DaemonOptions = {}): Promise<DaemonProcess> {
    const sandbox = options.sandbox ?? (await ownSandbox());
    const endpoint = options.tokenEndpoint;
    const cli = startCli(sandbox, ['run', ...(options.args ?? [])], {
      env: {
        ...(endpoint === undefined ? {} : { CODEX_REFRESH_TOKEN_URL_OVERRIDE: endpoint }),
        ...options.env,
      },
      script: options.script,
    });
    onTestFinished(async () => {
      cli.process.kill('SIGKILL');
      await cli.ended;
    });
    return new DaemonProcess(sandbox, cli);
  }

  /** Starts a daemon and waits until it listens. */
  static async start(options: DaemonOptions = {}): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.spawn(options);
    await daemon.logged('listening');
    return daemon;
  }

  get pid(): number {
    const { pid } = this.cli.process;
    if (pid === undefined) throw new Error('the daemon could not be started');
    return pid;
  }

  /** Resolves when a line with this message is in the log; rejects if the daemon ends before. */
  async logged(message: string): Promise<void> {
    await this.cli.stderrUntil((log) => log.includes(`"msg":"${message}"`));
  }

  async ask(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Reply> {
    const asking = request({
      socketPath: this.socket,
      path,
      method,
      headers: { host: 'localhost', ...headers },
    });
    const answered = once(asking, 'response') as Promise<[IncomingMessage]>;
    asking.end();
    const [response] = await answered;
    const body = await text(response);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text: body,
      get json() {
        return JSON.parse(body) as Record<string, unknown>;
      },
    };
  }

  /** The default account as status tells it. */
  async account(): Promise<AccountStatus> {
    const [account] = (await readStatus(this.socket)).accounts;
    if (account === undefined) throw new Error('the daemon keeps no account');
    return account;
  }

  /** An account by its name, as status tells it; undefined if there is none. */
  async accountNamed(name: string): Promise<AccountStatus | undefined> {
    return (await readStatus(this.socket)).accounts.find(({ account }) => account === name);
  }

  /** Follows the events of an account until the test is over. */
  listen(account?: string): EventLog {
    const leaving = new AbortController();
    onTestFinished(() => {
      leaving.abort();
    });
    return new EventLog(readEvents({ socket: this.socket, account, signal: leaving.signal }));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<CliEnd> {
    this.cli.process.kill(signal);
    return this.cli.ended;
  }
}

/** All events that came, in order. */
export class EventLog {
  readonly events: AuthdEvent[] = [];
  /** Resolves when the stream is over. */
  readonly ended: Promise<void>;
  readonly #watchers = new Set<() => void>();

  constructor(source: AsyncIterable<AuthdEvent>) {
    this.ended = this.#follow(source);
  }

  /** The first event that satisfies the test, also one that came before. */
  until(satisfies: (event: AuthdEvent) => boolean): Promise<AuthdEvent> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.events.find(satisfies);
        if (found === undefined) return;
        this.#watchers.delete(look);
        resolve(found);
      };
      this.#watchers.add(look);
      look();
    });
  }

  untilState(state: AccountStatus['state']): Promise<AuthdEvent> {
    return this.until(({ event, data }) => event === 'state' && data.state === state);
  }

  /** The states that were told, in order. */
  get states(): string[] {
    return this.events.flatMap(({ event, data }) => (event === 'state' ? [data.state] : []));
  }

  async #follow(source: AsyncIterable<AuthdEvent>): Promise<void> {
    try {
      for await (const event of source) {
        this.events.push(event);
        for (const look of this.#watchers) look();
      }
    } catch {
      // The daemon has gone, or the test is over: what came stays in the log.
    }
  }
}
