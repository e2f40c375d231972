import { readFile } from 'node:fs/promises';
import { parse } from 'smol-toml';
import * as v from 'valibot';
import { AuthdError, describeError, systemErrorCode } from '../errors.js';
import { ConfigSchema, type Config } from './schema.js';

/**
 * Reads the configuration file. One that is not there is empty, unless it was asked for by name.
 *
 * @throws AuthdError `bad_configuration`
 */
export async function readConfig(path: string, presence: 'optional' | 'required'): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (presence === 'optional' && systemErrorCode(error) === 'ENOENT') return {};
    throw new AuthdError('bad_configuration', `${path} cannot be read: ${describeError(error)}`, {
      hint: 'make it readable, or name another file with `--config`',
      cause: error,
    });
  }
  return checkConfig(path, parseToml(path, text));
}

function parseToml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const [firstLine] = describeError(error).split('\n');
    throw new AuthdError('bad_configuration', `${path} is not TOML: ${firstLine ?? ''}`, {
      hint: 'mend the line that it names',
      cause: error,
    });
  }
}

function checkConfig(path: string, document: unknown): Config {
  const result = v.safeParse(ConfigSchema, document);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const key = v.getDotPath(issue);
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    throw new AuthdError('bad_configuration', `${path}: there is no setting \`${key ?? ''}\``, {
      hint: `the settings are ${Object.keys(ConfigSchema.entries).join(', ')}`,
    });
  }
  throw new AuthdError('bad_configuration', `${path}: \`${key ?? ''}\` is ${issue.received}`, {
    hint: expectation(issue),
  });
}

function expectation(issue: v.BaseIssue<unknown>): string {
  const bound = issue.expected ?? issue.type.replaceAll('_', ' ');
  return `it must be ${bound.replaceAll('"', '')}`;
}
