import { join, resolve } from 'node:path';
import { readStatus } from '../client/status.js';
import type { AccountConfig } from '../config/accounts.js';
import { readSettings, type Settings } from '../config/settings.js';
import type { DaemonOptions } from '../daemon.js';
import { AuthdError, describeError } from '../errors.js';
import { chooseSocket, configPath } from '../os/paths.js';
import { quoteForShell } from '../os/quote-for-shell.js';
import type { StatusBody } from '../protocol.js';
import { reachTokenEndpoint, type Reach } from '../token-endpoint/reach.js';
import { readVersion } from '../version.js';
import { fail, ok, type Finding } from './finding.js';
import type { AccountScene, Check, ConfiguredScene, Scene } from './scene.js';
import { ACCOUNT_CHECKS, DAEMON_CHECKS, MACHINE_CHECKS } from './table.js';

/**
 * Looks at everything that an account's keeping depends on, and says of each thing how it is. Writes nothing, takes no
 * lock, sends no token. Works with and without a daemon.
 *
 * @throws AuthdError `unknown_account`
 */
export async function examine(options: DaemonOptions): Promise<Finding[]> {
  const { flags, env, account } = options;
  const uid = process.getuid?.();
  const base = { env, platform: process.platform, nodeVersion: process.version, nowMs: Date.now(), uid };
  const configured = await readSettings(flags, env).catch(asAuthdError);
  if (configured instanceof AuthdError) {
    const socketPath = await chooseSocket({ named: flags.socket, env, configured: () => undefined });
    const machine = await Promise.all(MACHINE_CHECKS.map((check) => perform(check, { ...base, socketPath })));
    return [judgeConfiguration(options, configured), ...machine.flat()];
  }

  const { socketPath } = configured;
  const daemon = await readStatus(socketPath).catch(asAuthdError);
  const scene: ConfiguredScene = { ...base, socketPath, settings: configured, daemon };
  const accounts = choose(configured, account).map((config) => accountScene(scene, config, options));
  const found = await Promise.all([
    ...MACHINE_CHECKS.map((check) => perform(check, scene)),
    ...DAEMON_CHECKS.map((check) => perform(check, scene)),
    ...accounts.flatMap((each) => ACCOUNT_CHECKS.map((check) => perform(check, each, each.config.name))),
  ]);
  return [judgeConfiguration(options), ...found.flat()];
}

/** A check that fails itself says so, and keeps no other from its answer. */
async function perform<S extends Scene>(
  { id, run }: Check<S>,
  scene: S,
  account: string | null = null,
): Promise<Finding[]> {
  try {
    const verdicts = [await run(scene)].flat();
    return verdicts.map((verdict) => ({ id, account, ...verdict }));
  } catch (error) {
    const found = `cannot be told: ${describeError(error)}`;
    return [{ id, account, level: 'warn', found, command: 'codex-authd doctor' }];
  }
}

function judgeConfiguration({ flags, env }: DaemonOptions, problem?: AuthdError): Finding {
  const path = resolve(flags.config ?? configPath(env));
  const verdict =
    problem === undefined
      ? ok('the configuration can be used')
      : fail(withHint(problem), `"\${EDITOR:-vi}" ${quoteForShell(path)}`);
  return { id: 'configuration', account: null, ...verdict };
}

function withHint({ message, hint }: AuthdError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

function accountScene(scene: ConfiguredScene, config: AccountConfig, options: DaemonOptions): AccountScene {
  let reach: Promise<Reach> | undefined;
  return {
    ...scene,
    config,
    path: join(config.codexHome, 'auth.json'),
    reach: () =>
      (reach ??= reachTokenEndpoint({
        url: config.tokenEndpoint,
        userAgent: `codex-authd/${readVersion()}`,
        env: scene.env,
      })),
    async status() {
      const told = statusIn(scene.daemon, config.name);
      if (told !== undefined) return told;
      const { inspectAccounts } = await import('../inspect.js');
      const [read] = await inspectAccounts({ ...options, account: config.name });
      if (read === undefined) throw new AuthdError('unknown_account', `there is no account ${config.name}`);
      return read;
    },
  };
}

function statusIn(daemon: StatusBody | AuthdError, name: string): StatusBody['accounts'][number] | undefined {
  return daemon instanceof AuthdError ? undefined : daemon.accounts.find(({ account }) => account === name);
}

function choose({ accounts }: Settings, name: string | undefined): readonly AccountConfig[] {
  const chosen = accounts.filter((each) => name === undefined || each.name === name);
  if (chosen.length > 0) return chosen;
  throw new AuthdError('unknown_account', `there is no account named \`${name ?? ''}\``, {
    hint: `the accounts are ${accounts.map((each) => each.name).join(', ')}`,
  });
}

function asAuthdError(error: unknown): AuthdError {
  if (error instanceof AuthdError) return error;
  throw error;
}
