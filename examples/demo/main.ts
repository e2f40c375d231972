/**
 * The main job, end to end, with nothing of yours: a real OAuth server whose access tokens live 20 s, a login, the
 * daemon as a process that keeps it, and a consumer that reads the token over the socket all the while.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CredentialBody } from '../../src/index.js';
import { chatgptFile, writeAuthFile } from '../../test/support/login-file.js';
import { startOidcServer } from '../../test/support/oidc-server.js';
import { makeTempDir } from '../../test/support/temp-dir.js';
import { EMAIL } from '../../test/support/tokens.js';
import { readArguments, USAGE } from './arguments.js';
import { consume, MIN_VALID_SECONDS } from './consumer.js';
import { startDaemon } from './daemon.js';
import { judge } from './verdict.js';

const LIFETIME_SECONDS = 20;
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const request = readArguments(argv);
  switch (request.kind) {
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    case 'mistake':
      process.stderr.write(`demo: error: ${request.message}\ndemo: hint: ${request.hint}\n`);
      return 2;
    case 'run':
      break;
  }
  try {
    return await run(request.seconds, endOnSignals());
  } catch (error) {
    process.stderr.write(`demo: error: ${describe(error)}\n`);
    return 1;
  }
}

async function run(seconds: number | null, end: AbortController): Promise<number> {
  await using home = await makeTempDir('authd-demo-');
  await using server = await startOidcServer({ lifetimeSeconds: LIFETIME_SECONDS });
  say(
    'OAuth server',
    `${server.issuer}: access tokens live ${String(LIFETIME_SECONDS)} s, refresh tokens work once`,
  );

  const authFile = join(home.path, 'auth.json');
  await writeAuthFile(authFile, chatgptFile(await server.login()));
  say('login', `${EMAIL}, in ${authFile}`);

  await using daemon = await startDaemon(home.path, server);
  process.on('exit', () => {
    daemon.kill();
    rmSync(home.path, { recursive: true, force: true });
  });
  say('daemon', `process ${String(daemon.pid)}, listening`);
  say('consumer', `asks ten times a second for a token that stays valid for ${String(MIN_VALID_SECONDS)} s`);
  process.stdout.write(
    `\nFrom another terminal:\n  curl -s --unix-socket ${daemon.socket} http://localhost/v1/token\n\n`,
  );

  const startedAtMs = Date.now();
  const endInTime = (): void => {
    end.abort();
  };
  const timer = seconds === null ? undefined : setTimeout(endInTime, seconds * 1000);
  const consumer = consume(daemon.socket, end.signal, {
    onGeneration: showGeneration,
    onExpired: (credential) => {
      print(`an expired token was given out: ${credential.fingerprint}`);
    },
    onFailure: (error) => {
      print(`no token: ${describe(error)}`);
    },
  });
  try {
    const tally = await Promise.race([consumer, daemon.broken]);
    const lastedSeconds = (Date.now() - startedAtMs) / 1000;
    const { summary, complaints } = judge(tally, lastedSeconds, server.refreshes.length);
    process.stdout.write(`\n${summary}\n`);
    if (complaints.length === 0) return 0;
    throw new Error(complaints.join('; '));
  } finally {
    clearTimeout(timer);
    end.abort();
    await consumer;
  }
}

/** The first signal ends the demo in order; a second one at once. */
function endOnSignals(): AbortController {
  const end = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (end.signal.aborted) process.exit(1);
      end.abort();
    });
  }
  return end;
}

function showGeneration({ generation, fingerprint, expires_at }: CredentialBody): void {
  const until = expires_at === null ? 'for ever' : `until ${timeOfDay(new Date(expires_at))}`;
  print(`generation ${String(generation)}  token ${fingerprint}  valid ${until}`);
}

function print(line: string): void {
  process.stdout.write(`${timeOfDay(new Date())}  ${line}\n`);
}

function say(what: string, sentence: string): void {
  process.stdout.write(`${what.padEnd(14)}${sentence}\n`);
}

function timeOfDay(date: Date): string {
  return date.toTimeString().slice(0, 8);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
