import { AuthdError, describeError } from '../errors.js';
import type { Environment } from '../os/paths.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { createOutput, ReaderGone, type Output } from './output.js';
import { parseCommandLine } from './parse.js';

const LONGEST_DELAY_MS = 2 ** 31 - 1;

// Set rather than exited with: what is still on its way to a slow reader of stdout arrives.
process.exitCode = await main(process.argv.slice(2), process.env, createOutput(process, process.env));

async function main(argv: readonly string[], env: Environment, output: Output): Promise<number> {
  // The program's clock keeps no process alive; a command that waits on it alone must still come to its end.
  const alive = setInterval(() => undefined, LONGEST_DELAY_MS);
  try {
    return await dispatch(argv, env, output);
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.ok;
    if (error instanceof AuthdError) {
      output.error(error.message, error.hint);
      if (error.retryAtMs !== undefined) await hintAtRetry(error.retryAtMs, output);
      return exitCodeOf(error);
    }
    output.error(describeError(error), 'this is a fault of codex-authd: please report it');
    return EXIT.failure;
  } finally {
    clearInterval(alive);
  }
}

async function dispatch(argv: readonly string[], env: Environment, output: Output): Promise<number> {
  const parsed = parseCommandLine(argv);
  switch (parsed.kind) {
    case 'command': {
      const { run } = await parsed.command.load();
      return await run({ ...parsed.call, env, output });
    }
    case 'help': {
      const { commandHelp, generalHelp } = await import('./help.js');
      await output.data(parsed.command === undefined ? generalHelp() : commandHelp(parsed.command));
      return EXIT.ok;
    }
    case 'version': {
      const { versionLine } = await import('./commands/version.js');
      await output.data(`${versionLine()}\n`);
      return EXIT.ok;
    }
    case 'nothing': {
      const { generalHelp } = await import('./help.js');
      output.aside(generalHelp());
      return EXIT.usage;
    }
  }
}

async function hintAtRetry(retryAtMs: number, output: Output): Promise<void> {
  const { formatSpan } = await import('./when.js');
  const leftMs = retryAtMs - Date.now();
  if (leftMs > 0) output.hint(`it is worth trying again in ${formatSpan(Math.max(leftMs, 1000))}`);
}
