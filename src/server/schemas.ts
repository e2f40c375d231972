import type {
  AccountStatus,
  CredentialBody,
  HealthBody,
  ProblemBody,
  PublicationStatus,
  PublishedBody,
  RotationCounts,
  StatusBody,
  UnpublishedBody,
} from '../protocol.js';
import { PROBLEMS } from './problem.js';
import { BODIES, type BodyName, type BodyShape } from './request-bodies.js';
import { REASON_CODES, STATE_NAMES } from './vocabulary.js';

export type Schema = Readonly<Record<string, unknown>>;

/** A schema for each field of a body: the compiler finds the field that one of the two lacks. */
type Fields<Body> = Readonly<Record<keyof Body, Schema>>;

const account: Schema = { type: 'string', description: 'The name of the account.', examples: ['default'] };
const fingerprint: Schema = {
  type: 'string',
  pattern: '^[0-9a-f]{12}$',
  description: "The first 12 hex digits of the access token's SHA-256.",
};
const state: Schema = { type: 'string', enum: STATE_NAMES, description: 'What the account is in.' };
const reason: Schema = { type: 'string', enum: REASON_CODES, description: 'Why it is in that state.' };
const detail: Schema = { type: 'string', description: 'The state in one sentence.' };
const accountId: Schema = orNull({
  type: 'string',
  description: 'What belongs into the ChatGPT-Account-ID header; null where there is no such account.',
});
const plan: Schema = orNull({
  type: 'string',
  description: 'The plan of the account, as the token names it.',
});
const generation: Schema = {
  type: 'integer',
  minimum: 0,
  description: 'Grows with each new credential of the account, also across restarts.',
};

const credentialFields: Fields<CredentialBody> = {
  account,
  access_token: { type: 'string', minLength: 1, description: 'What follows `Bearer` in Authorization.' },
  token_type: { const: 'Bearer' },
  expires_at: orNull(instant('Null for what does not expire, or does not say when.')),
  account_id: accountId,
  plan,
  generation,
  fingerprint,
  base_url: { type: 'string', format: 'uri', description: 'Where the token is good.' },
};

const countsFields: Fields<RotationCounts> = {
  own: count('Rotations that this daemon made and stored.'),
  adopted: count('Credentials that another process wrote and this daemon took over.'),
  requests: count('Requests to the token endpoint, whatever came of them.'),
  failures: count('Requests that brought no new credential.'),
  rejections: count('Reports of consumers that the access token was answered with a 401.'),
};

const accountStatusFields: Fields<AccountStatus> = {
  account,
  state,
  reason,
  detail,
  hint: orNull({ type: 'string', description: 'What to do next; null if there is nothing to do.' }),
  serving: { type: 'boolean', description: 'Whether a credential is served now.' },
  serves_until: orNull(
    instant('Until when what is served stays valid; null if it does not expire, or nothing is served.'),
  ),
  login: orNull({
    type: 'string',
    enum: ['chatgpt', 'api_key', 'personal_access_token'],
    description: 'What kind of login auth.json holds.',
  }),
  email: orNull({ type: 'string', description: 'Whose login it is.' }),
  account_id: accountId,
  plan,
  generation: orNull(generation),
  fingerprint: orNull(fingerprint),
  issued_at: orNull(instant('When the access token was issued.')),
  expires_at: orNull(instant('When the access token expires, or has expired.')),
  next_rotation_at: orNull(instant('When the token endpoint will next be asked; null if it will not.')),
  last_rotation_at: orNull(instant('When this daemon, or one before it, last rotated.')),
  written_by: orNull({
    type: 'string',
    enum: ['codex-authd', 'another process'],
    description: 'Who wrote auth.json as it is now.',
  }),
  written_at: orNull(instant('When auth.json was last written.')),
  auth_file: { type: 'string', description: 'The path of auth.json.' },
  token_endpoint: { type: 'string', description: 'Where the login is rotated.' },
  clock_offset_seconds: {
    type: 'integer',
    description: "How far this machine's clock is behind the server's; negative where it is ahead.",
  },
  counts: { $ref: '#/components/schemas/RotationCounts' },
  published: { type: 'array', items: { $ref: '#/components/schemas/Publication' } },
};

const directory: Schema = { type: 'string', description: 'The directory, absolute.' };
const publishedFile: Schema = { type: 'string', description: 'The path of the auth.json in it.' };

const publicationFields: Fields<PublicationStatus> = {
  directory,
  auth_file: publishedFile,
  source: {
    type: 'string',
    enum: ['request', 'config'],
    description: 'Who asked for it: somebody on the socket, or the configuration file.',
  },
  state: {
    type: 'string',
    enum: ['pending', 'published', 'withdrawn', 'failing'],
    description:
      'Not written yet since the daemon started; there, with the current credential; removed, because there is no ' +
      'valid credential; neither, because something is in the way, which is tried again and again.',
  },
  detail: { type: 'string', description: 'The state in one sentence.' },
  hint: orNull({ type: 'string', description: 'What to do next; null if there is nothing to do.' }),
  generation: orNull(generation),
  fingerprint: orNull(fingerprint),
};

const publishedFields: Fields<PublishedBody> = {
  account,
  directory,
  auth_file: publishedFile,
  generation,
  fingerprint,
  expires_at: orNull(instant('When what is in the file expires; null if it does not say.')),
};

const unpublishedFields: Fields<UnpublishedBody> = {
  account,
  directory,
  auth_file: publishedFile,
  removed: {
    type: 'boolean',
    description: 'False if there was no file any more, or one that somebody else had put there.',
  },
};

const statusFields: Fields<StatusBody> = {
  schema: { const: 1 },
  version: { type: 'string', description: 'The version of the daemon.' },
  node: { type: 'string', description: 'The version of Node.js that runs it.' },
  pid: { type: 'integer', minimum: 1 },
  started_at: instant('When the daemon started.'),
  socket: { type: 'string', description: 'The path of this socket.' },
  locks: {
    type: 'string',
    enum: ['flock', 'abstract socket', 'none'],
    description: "What the kernel offers to lock with; Codex's own locks can be taken with `flock` only.",
  },
  accounts: { type: 'array', items: { $ref: '#/components/schemas/AccountStatus' } },
};

/** What a request must carry is said once, in request-bodies.ts. */
function bodySchema(name: BodyName): Schema {
  const { title, description, fields }: BodyShape = BODIES[name];
  const properties = Object.entries(fields).map(([field, { description, pattern, example }]) => [
    field,
    { type: 'string', pattern, description, examples: [example] },
  ]);
  return {
    title,
    description,
    type: 'object',
    required: Object.keys(fields),
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
}

const healthFields: Fields<HealthBody> = { account, state, reason, detail };

const problemFields: Fields<ProblemBody> = {
  type: { type: 'string', format: 'uri', description: 'The kind of problem: names the code.' },
  title: { type: 'string', description: 'The kind of problem in words.' },
  status: { type: 'integer', enum: [...new Set(Object.values(PROBLEMS).map(({ status }) => status))] },
  code: { type: 'string', enum: Object.keys(PROBLEMS), description: 'What programs should look at.' },
  detail: { type: 'string', description: 'What happened this time.' },
  hint: orNull({ type: 'string', description: 'What to do next.' }),
  retry_at: orNull(instant('When asking again is worth it.')),
  reason: orNull({ ...reason, description: "The account's reason, where its state is the cause." }),
};

/** The JSON Schema (2020-12) of each body, by the name under which openapi.json has it. */
export const SCHEMAS = {
  Credential: object('A credential', 'What a consumer may have: never the refresh token.', credentialFields),
  AccountStatus: object('The status of an account', 'Everything but the token.', accountStatusFields),
  RotationCounts: object('Rotations', 'Counted since the daemon started.', countsFields),
  Status: object('The status of the daemon', 'Never holds a token.', statusFields),
  Health: object('The health of an account', 'Its state in short.', healthFields),
  Problem: object('A problem', 'Why there is no answer, as in RFC 9457.', problemFields),
  Publication: object('A published directory', 'Where the credential lies as a file.', publicationFields),
  Published: object('A published credential', 'It is in the file, durably.', publishedFields),
  Unpublished: object('The end of a publication', 'What became of the file.', unpublishedFields),
  Rejection: bodySchema('Rejection'),
  Directory: bodySchema('Directory'),
  Openapi: {
    title: 'An OpenAPI document',
    description: 'As its own standard describes it.',
    type: 'object',
    required: ['openapi', 'info', 'paths'],
    properties: {
      openapi: { type: 'string', pattern: '^3\\.1\\.' },
      info: { type: 'object' },
      paths: { type: 'object' },
    },
  },
} satisfies Record<string, Schema>;

export type SchemaName = keyof typeof SCHEMAS;

function object<Body>(title: string, description: string, fields: Fields<Body>): Schema {
  return { title, description, type: 'object', required: Object.keys(fields), properties: fields };
}

function instant(description: string): Schema {
  return { type: 'string', format: 'date-time', description };
}

function count(description: string): Schema {
  return { type: 'integer', minimum: 0, description };
}

function orNull(schema: Schema): Schema {
  const values = schema['enum'];
  return {
    ...schema,
    type: [schema['type'], 'null'],
    ...(Array.isArray(values) ? { enum: [...(values as unknown[]), null] } : {}),
  };
}
