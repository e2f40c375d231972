import { PROVIDER_ID, type Provider } from './provider.js';

/** A provider in the two parts that a config.toml needs: a key above every table, and a table. Each ends with a newline. */
export interface ProviderToml {
  readonly choice: string;
  readonly table: string;
}

/** A provider as text for Codex's config.toml. */
export async function providerToml(provider: Provider): Promise<ProviderToml> {
  // Loaded here, for the few who want TOML: everything else of the client stays bare (facts 5.10).
  const { stringify } = await import('smol-toml');
  return {
    choice: stringify({ model_provider: PROVIDER_ID }),
    table: stringify({ model_providers: { [PROVIDER_ID]: provider } }),
  };
}

/** Settings as arguments for Codex itself: `-c key=value`, a pair for each value. */
export function configArguments(settings: object): string[] {
  return flatten('', settings).flatMap(([key, value]) => ['-c', `${key}=${literal(value)}`]);
}

function flatten(prefix: string, table: object): (readonly [key: string, value: unknown])[] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isTable ? flatten(path, value) : [[path, value] as const];
  });
}

/** JSON's texts, numbers and lists are TOML's as well, but for one character that TOML wants escaped. */
function literal(value: unknown): string {
  return JSON.stringify(value).replaceAll('\x7f', '\\u007f');
}
