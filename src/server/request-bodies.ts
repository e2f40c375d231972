/** The body of a request: a JSON object of texts, each of which must be there, and no others. */
export interface BodyShape {
  readonly title: string;
  readonly description: string;
  readonly fields: Readonly<Record<string, TextField>>;
}

export interface TextField {
  readonly description: string;
  /** What a text must match, as in JSON Schema. */
  readonly pattern: string;
  /** What it must be, for the hint: `… must be ${expected}`. */
  readonly expected: string;
  readonly example: string;
}

/** Every body that a route takes, by the name under which openapi.json has it. */
export const BODIES = {
  Rejection: {
    title: 'A rejected token',
    description: 'Which token was answered with a 401: never the token itself.',
    fields: {
      fingerprint: {
        description: "The first 12 hex digits of the access token's SHA-256, as `/v1/credential` gives it.",
        pattern: '^[0-9a-f]{12}$',
        expected: "the first 12 hex digits of the access token's SHA-256, in lower case",
        example: '0123456789ab',
      },
    },
  },
  Directory: {
    title: 'A directory',
    description: 'Where the credential shall lie as an auth.json without a refresh token.',
    fields: {
      directory: {
        description: 'Its path, absolute. It is made, 0700, if nothing but itself is missing.',
        pattern: '^/[^\\u0000]{0,4000}$',
        expected: 'an absolute path',
        example: '/srv/sandbox/codex-home',
      },
    },
  },
} as const satisfies Readonly<Record<string, BodyShape>>;

export type BodyName = keyof typeof BODIES;

/** A body that was read: a text for each of its fields. */
export type BodyOf<Name extends BodyName> = Readonly<Record<keyof (typeof BODIES)[Name]['fields'], string>>;
