import fc from 'fast-check';

/**
 * JSON as text rather than as values, because that is what must survive: numbers that no double holds, escapes that
 * need not be, names that come twice, any white space.
 */

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r\n'), maxLength: 3 });

const oddNumber = fc.constantFrom(
  '12345678901234567890',
  '1e400',
  '-1E-400',
  '-0',
  '1.0',
  '1e2',
  '0.1000000000000000055511151231257827',
);

const oddString = fc.constantFrom(
  '"\\u0041\\/"',
  '"\\ud800"',
  '"// no comment"',
  '"/* none */"',
  '"{[,:]}"',
  '"é😀"',
);

const scalar = fc.oneof(
  oddNumber,
  oddString,
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => JSON.stringify(text)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
  fc.constantFrom('true', 'false', 'null', '[]', '{}'),
);

/** Names that this program does not own. */
const foreignName = fc.oneof(
  fc.constantFrom(
    '"__proto__"',
    '"constructor"',
    '""',
    '"access_token "',
    '"Tokens"',
    '"agent_identity"',
    '"0"',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => JSON.stringify(`x${text}`)),
);

/** Members of an object, text and all; a name may come twice. */
function membersOf(value: fc.Arbitrary<string>): fc.Arbitrary<string[]> {
  const member = fc
    .tuple(space, foreignName, space, space, value)
    .map(([before, name, mid, after, text]) => `${before}${name}${mid}:${after}${text}`);
  return fc.array(member, { maxLength: 4 });
}

const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('array'), tie('object')),
  array: fc.array(tie('value'), { maxLength: 3 }).map((items) => `[ ${items.join(' ,')}]`),
  object: membersOf(tie('value')).map((members) => `{${members.join(',')}}`),
}));

/** A place in a document where a field that this program owns stands, or would stand if it were there. */
export interface Owned {
  readonly name: string;
  /** Whether the document has it. */
  readonly isPresent: boolean;
}

/** A document as the pieces between the values of the owned fields. */
export type Piece = string | Owned;

/** Members of an object with owned ones among them; the owned ones that are absent would come last. */
function objectWith(owned: readonly string[], nested: fc.Arbitrary<Piece[][]>): fc.Arbitrary<Piece[]> {
  return fc.tuple(membersOf(value), nested, fc.subarray([...owned])).chain(([foreign, others, present]) => {
    const mine = present.map((name): Piece[] => [`"${name}" : `, { name, isPresent: true }]);
    const members: Piece[][] = [...foreign.map((text) => [text]), ...mine, ...others];
    const absent = owned
      .filter((name) => !present.includes(name))
      .map((name) => ({ name, isPresent: false }));
    return fc
      .tuple(fc.shuffledSubarray(members, { minLength: members.length }), space, space)
      .map(([shuffled, separator, end]): Piece[] => [
        '{',
        ...shuffled.flatMap((pieces, index) => (index === 0 ? pieces : [`${separator},`, ...pieces])),
        ...absent,
        `${end}}`,
      ]);
  });
}

const tokens = objectWith(['access_token', 'refresh_token', 'id_token'], fc.constant([]));

/** An auth.json with tokens, and with anything else anywhere. */
export const authFilePieces: fc.Arbitrary<Piece[]> = fc
  .tuple(
    space,
    objectWith(
      ['last_refresh'],
      tokens.map((pieces): Piece[][] => [['"tokens": ', ...pieces]]),
    ),
    space,
  )
  .map(([before, pieces, after]) => [before, ...pieces, after]);

/** The document before the edit: every owned field that is there has some old value. */
export function textBefore(pieces: readonly Piece[]): string {
  return pieces.map((piece) => (typeof piece === 'string' ? piece : piece.isPresent ? '"old"' : '')).join('');
}

/**
 * Where the document after the edit is not what it must be; null if it is: the values of present fields are replaced,
 * absent fields stand after the last member of their object, and all else is there to the byte.
 */
export function differenceAfter(
  text: string,
  pieces: readonly Piece[],
  values: Readonly<Record<string, string>>,
): string | null {
  let rest = text;
  for (const piece of pieces) {
    const wanted = typeof piece === 'string' ? piece : JSON.stringify(values[piece.name]);
    if (typeof piece !== 'string' && !piece.isPresent) {
      const inserted = new RegExp(`^\\s*,?\\s*"${piece.name}"\\s*:\\s*`).exec(rest);
      if (inserted === null) return `no ${piece.name} at: ${rest.slice(0, 60)}`;
      rest = rest.slice(inserted[0].length);
    }
    if (!rest.startsWith(wanted))
      return `not ${JSON.stringify(wanted)} but: ${JSON.stringify(rest.slice(0, 60))}`;
    rest = rest.slice(wanted.length);
  }
  return rest === '' ? null : `more: ${JSON.stringify(rest.slice(0, 60))}`;
}
