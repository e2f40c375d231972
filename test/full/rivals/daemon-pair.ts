import { writeFile } from 'node:fs/promises';
import { DaemonProcess, ownSandbox } from '../../support/daemon-process.js';
import type { CliEnd, Sandbox } from '../../cli/run-cli.js';
import { nap } from './nap.js';

/** How soon a daemon that has ended is started again; one that was killed later, so that the other one's turn comes. */
const RESTART_MS = 2_000;
const RESTART_AFTER_KILL_MS = 5_000;

export interface DaemonPairOptions {
  readonly codexHome: string;
  readonly tokenEndpoint: string;
  /** The text of their configuration file. */
  readonly config: string;
}

/**
 * Two daemons for one auth.json, each with a home, a state directory and a socket of its own. One keeps the file, the
 * other ends at once and is started again and again, until the first is killed and it takes over.
 */
export class DaemonPair {
  readonly sockets: readonly string[];
  /** When one of them was killed, in milliseconds since the epoch. */
  readonly killsAtMs: number[] = [];
  /** What no daemon should have done: ended by itself, for another reason than that the other one keeps the file. */
  readonly unexpected: string[] = [];
  readonly #logged = { rotated: 0, adopted: 0, starts: 0, gaveWay: 0 };
  readonly #slots: Promise<void>[];
  readonly #stopping = new AbortController();
  #active: DaemonProcess | null = null;

  private constructor(sandboxes: readonly Sandbox[], options: DaemonPairOptions) {
    this.sockets = sandboxes.map(({ socket }) => socket);
    this.#slots = sandboxes.map((sandbox) => this.#keepRunning(sandbox, options));
  }

  static async start(options: DaemonPairOptions): Promise<DaemonPair> {
    const sandboxes = [await ownSandbox(), await ownSandbox()];
    for (const sandbox of sandboxes) await writeFile(sandbox.configFile, options.config);
    return new DaemonPair(sandboxes, options);
  }

  /** What their logs tell, over all lives. */
  get figures(): { rotated: number; adopted: number; starts: number; gaveWay: number } {
    return { ...this.#logged };
  }

  /** The one that keeps the file; null while there is none. */
  get active(): DaemonProcess | null {
    return this.#active;
  }

  /** Ends the one that keeps the file, in the midst of whatever it does. */
  kill(): void {
    if (this.#active === null) return;
    this.killsAtMs.push(Date.now());
    this.#active.cli.process.kill('SIGKILL');
    this.#active = null;
  }

  /** Stops both as a service manager would. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#slots);
  }

  async #keepRunning(sandbox: Sandbox, { codexHome, tokenEndpoint }: DaemonPairOptions): Promise<void> {
    const { signal } = this.#stopping;
    let pauseMs = 0;
    while (await nap(pauseMs, signal)) {
      const daemon = await DaemonProcess.spawn({ sandbox, tokenEndpoint, args: ['--codex-home', codexHome] });
      const end = await this.#follow(daemon, signal);
      this.#logged.rotated += count(end.stderr, '"msg":"rotated"');
      this.#logged.adopted += count(end.stderr, '"msg":"adopted"');
      const gaveWay = end.code === 1 && end.stderr.includes('is kept by');
      if (gaveWay) this.#logged.gaveWay += 1;
      const wasKilled = end.signal === 'SIGKILL';
      // One that is told to stop before it is up has nothing to finish.
      const wasStopped = signal.aborted && (end.code === 0 || end.stderr === '');
      if (!gaveWay && !wasKilled && !wasStopped) this.unexpected.push(end.stderr);
      pauseMs = wasKilled ? RESTART_AFTER_KILL_MS : RESTART_MS;
    }
  }

  async #follow(daemon: DaemonProcess, signal: AbortSignal): Promise<CliEnd> {
    const stop = (): void => void daemon.cli.process.kill('SIGTERM');
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    this.#logged.starts += 1;
    void daemon.logged('listening').then(
      () => (this.#active = daemon),
      () => undefined,
    );
    try {
      return await daemon.cli.ended;
    } finally {
      signal.removeEventListener('abort', stop);
      if (this.#active === daemon) this.#active = null;
    }
  }
}

function count(text: string, piece: string): number {
  return text.split(piece).length - 1;
}
