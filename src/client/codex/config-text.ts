import { isDeepStrictEqual } from 'node:util';
import { AuthdError, describeError } from '../../errors.js';
import { PROVIDER_ID, type Provider } from './provider.js';
import { providerToml } from './toml.js';

/*
 * Codex's config.toml belongs to a person. What we write stands in two blocks between marks: the choice of the provider
 * at the very top, because only there a key belongs to no table, and the provider's table at the very end. Every byte
 * outside of them stays, and comes back exactly when the blocks are taken out.
 */

const REMOVAL = 'take it out with `codex-authd codex-config --remove`';
const CHOICE_BEGIN = `# >>> codex-authd: the choice; ${REMOVAL}\n`;
/** The newline before the mark is part of the block: the text before it may end without one. */
const TABLE_BEGIN = `\n# >>> codex-authd: the provider; ${REMOVAL}\n`;
const END = '# <<< codex-authd\n';

/** At the start of a line, or of a text that starts with a byte order mark. */
const START = '(?<=^\\uFEFF?)';
const MARK = `${START}# (?:>>>|<<<) codex-authd`;
/** Up to the end of the block, and no other mark in between. An editor may have changed the ends of the lines. */
const TO_THE_END = `[^\\n]*\\n(?:(?!${MARK})[^\\n]*\\n)*# <<< codex-authd\\r?\\n`;
const CHOICE_BLOCK = new RegExp(`${START}# >>> codex-authd: the choice${TO_THE_END}`, 'm');
const TABLE_BLOCK = new RegExp(`\\r?\\n# >>> codex-authd: the provider${TO_THE_END}`, 'm');

/**
 * The text with the provider in it, and chosen.
 *
 * @param file the file's name, for messages
 * @throws AuthdError `bad_configuration` where the rest of the file says otherwise, or is none that can be added to
 */
export async function withProviderBlocks(text: string, provider: Provider, file: string): Promise<string> {
  const rest = withoutProviderBlocks(text, file);
  const before = await parse(rest, file);
  const isChosen = checkConflicts(before, file);
  const { choice, table } = await providerToml(provider);
  const mark = rest.startsWith('\uFEFF') ? 1 : 0;
  const top = isChosen ? '' : `${CHOICE_BEGIN}${choice}${END}`;
  const edited = `${rest.slice(0, mark)}${top}${rest.slice(mark)}${TABLE_BEGIN}${table}${END}`;
  await verify(edited, before, provider, file);
  return edited;
}

/** The text as it was without us. @throws AuthdError `bad_configuration` if only one end of a block is there */
export function withoutProviderBlocks(text: string, file: string): string {
  const rest = text.replace(CHOICE_BLOCK, '').replace(TABLE_BLOCK, separate);
  if (!new RegExp(MARK, 'm').test(rest)) return rest;
  throw new AuthdError('bad_configuration', `a block of codex-authd in ${file} is not whole`, {
    hint: 'take the lines between `# >>> codex-authd` and `# <<< codex-authd` out by hand, and the marks',
  });
}

/** Nothing in place of the block; a newline where lines on both sides of it would become one. */
function separate(block: string, start: number, text: string): string {
  const isLast = start + block.length === text.length;
  return isLast || start === 0 || text[start - 1] === '\n' ? '' : '\n';
}

type Document = Readonly<Record<string, unknown>>;

async function parse(text: string, file: string): Promise<Document> {
  const toml = await import('smol-toml');
  try {
    return toml.parse(text.replace('\uFEFF', ''), { integersAsBigInt: 'asNeeded' });
  } catch (error) {
    // The lines after the first one quote the file, which may hold what should not be shown: no cause either.
    const [firstLine = 'it is not TOML'] = describeError(error).split('\n');
    throw new AuthdError('bad_configuration', `cannot add to ${file}: ${firstLine}`, {
      hint: 'mend the file, or add by hand what `codex-authd codex-config` prints',
    });
  }
}

/** Whether a person has chosen the provider by hand already. */
function checkConflicts(document: Document, file: string): boolean {
  const { model_provider: chosen, profile } = document;
  if (chosen !== undefined && chosen !== PROVIDER_ID) {
    throw conflict(`${file} chooses another provider: model_provider = ${JSON.stringify(chosen)}`);
  }
  if (typeof profile === 'string') {
    const ofProfile = at(document, 'profiles', profile, 'model_provider');
    if (ofProfile !== undefined && ofProfile !== PROVIDER_ID) {
      throw conflict(`the profile ${profile} in ${file} chooses another provider`);
    }
  }
  if (at(document, 'model_providers', PROVIDER_ID) !== undefined) {
    throw conflict(`${file} has a table model_providers.${PROVIDER_ID} that a person wrote`);
  }
  return chosen === PROVIDER_ID;
}

function conflict(message: string): AuthdError {
  return new AuthdError('bad_configuration', message, {
    hint: 'take that out and run this again, or leave the file alone and run `codex-authd exec -- codex`',
  });
}

/** What has been written reads as was meant, and the rest reads as before. */
async function verify(text: string, before: Document, provider: Provider, file: string): Promise<void> {
  const { model_provider: chosen, model_providers: providers, ...others } = await parse(text, file);
  const { model_provider: _choice, model_providers: providersBefore = {}, ...othersBefore } = before;
  const isAsMeant =
    chosen === PROVIDER_ID &&
    isTable(providersBefore) &&
    isSame(others, othersBefore) &&
    isSame(providers, { ...providersBefore, [PROVIDER_ID]: provider });
  if (isAsMeant) return;
  throw new AuthdError('bad_configuration', `cannot add to ${file}: it would not read as it should`, {
    hint: 'add by hand what `codex-authd codex-config` prints',
  });
}

/** Whether two values of TOML are equal, whatever their prototypes: smol-toml's tables have some of their own. */
function isSame(one: unknown, other: unknown): boolean {
  if (!isTable(one) || !isTable(other)) return isDeepStrictEqual(one, other);
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]))
  );
}

function at(document: Document, ...path: string[]): unknown {
  return path.reduce<unknown>((value, key) => (isTable(value) ? value[key] : undefined), document);
}

function isTable(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
