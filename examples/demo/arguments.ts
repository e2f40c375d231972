import { parseArgs } from 'node:util';

/** What the command line asks for. */
export type Request =
  | { readonly kind: 'run'; /** null: until Ctrl-C. */ readonly seconds: number | null }
  | { readonly kind: 'help' }
  | { readonly kind: 'mistake'; readonly message: string; readonly hint: string };

export const USAGE = `usage: npm run demo [-- --seconds N]

Starts an OAuth server with short tokens, logs in, lets codex-authd keep the login, and reads the token all the while.

  --seconds N   end after N seconds (1 to 86400); without it, Ctrl-C ends the demo
`;

const HINT = 'the only option is `--seconds N`: npm run demo -- --seconds 30';
const LONGEST_SECONDS = 86_400;

export function readArguments(argv: readonly string[]): Request {
  let values: { seconds?: string; help?: boolean };
  try {
    const options = { seconds: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
    ({ values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }));
  } catch (error) {
    const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
    return mistake(`${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`);
  }
  if (values.help === true) return { kind: 'help' };
  if (values.seconds === undefined) return { kind: 'run', seconds: null };
  const seconds = Number(values.seconds);
  if (!/^\d+$/.test(values.seconds) || seconds < 1 || seconds > LONGEST_SECONDS) {
    return mistake(`--seconds is not a whole number from 1 to ${String(LONGEST_SECONDS)}: ${values.seconds}`);
  }
  return { kind: 'run', seconds };
}

function mistake(message: string): Request {
  return { kind: 'mistake', message, hint: HINT };
}
