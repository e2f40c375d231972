import type {
  AccountStatus,
  CredentialBody,
  PublicationStatus,
  PublishedBody,
  RotationCounts,
  StatusBody,
  UnpublishedBody,
} from '../protocol.js';

/*
 * What comes over the socket is looked at field by field, by hand: a schema library would cost more at start-up
 * than the whole request (facts 5.10). Unknown fields and unknown names of states are let through, because the
 * daemon may be the newer one.
 */

type Check = (value: unknown) => boolean;

const CREDENTIAL: Record<keyof CredentialBody, Check> = {
  account: isText,
  access_token: isToken,
  token_type: (value) => value === 'Bearer',
  expires_at: isInstantOrNull,
  account_id: isHeaderValueOrNull,
  plan: isTextOrNull,
  generation: isCount,
  fingerprint: isFingerprint,
  base_url: isWebAddress,
};

const COUNTS: Record<keyof RotationCounts, Check> = {
  own: isCount,
  adopted: isCount,
  requests: isCount,
  failures: isCount,
  rejections: isCount,
};

const PUBLICATION: Record<keyof PublicationStatus, Check> = {
  directory: isText,
  auth_file: isText,
  source: isText,
  state: isText,
  detail: isText,
  hint: isTextOrNull,
  generation: (value) => value === null || isCount(value),
  fingerprint: (value) => value === null || isFingerprint(value),
};

const PUBLISHED: Record<keyof PublishedBody, Check> = {
  account: isText,
  directory: isText,
  auth_file: isText,
  generation: isCount,
  fingerprint: isFingerprint,
  expires_at: isInstantOrNull,
};

const UNPUBLISHED: Record<keyof UnpublishedBody, Check> = {
  account: isText,
  directory: isText,
  auth_file: isText,
  removed: isBoolean,
};

const ACCOUNT_STATUS: Record<keyof AccountStatus, Check> = {
  account: isText,
  state: isText,
  reason: isText,
  detail: isText,
  hint: isTextOrNull,
  serving: isBoolean,
  serves_until: isInstantOrNull,
  login: isTextOrNull,
  email: isTextOrNull,
  account_id: isTextOrNull,
  plan: isTextOrNull,
  generation: (value) => value === null || isCount(value),
  fingerprint: (value) => value === null || isFingerprint(value),
  issued_at: isInstantOrNull,
  expires_at: isInstantOrNull,
  next_rotation_at: isInstantOrNull,
  last_rotation_at: isInstantOrNull,
  written_by: isTextOrNull,
  written_at: isInstantOrNull,
  auth_file: isText,
  token_endpoint: isText,
  clock_offset_seconds: Number.isSafeInteger,
  counts: (value) => fits<RotationCounts>(value, COUNTS),
  published: (value) => Array.isArray(value) && value.every((each) => fits(each, PUBLICATION)),
};

const STATUS: Record<keyof StatusBody, Check> = {
  schema: (value) => value === 1,
  version: isText,
  node: isText,
  pid: isCount,
  started_at: isInstant,
  socket: isText,
  locks: isText,
  accounts: (value) => Array.isArray(value) && value.every(isAccountStatus),
};

/** Whether this is a credential that can be used as it is: in a header, and as one line of output. */
export function isCredentialBody(value: unknown): value is CredentialBody {
  return fits<CredentialBody>(value, CREDENTIAL);
}

export function isPublishedBody(value: unknown): value is PublishedBody {
  return fits<PublishedBody>(value, PUBLISHED);
}

export function isUnpublishedBody(value: unknown): value is UnpublishedBody {
  return fits<UnpublishedBody>(value, UNPUBLISHED);
}

export function isAccountStatus(value: unknown): value is AccountStatus {
  return fits<AccountStatus>(value, ACCOUNT_STATUS);
}

export function isStatusBody(value: unknown): value is StatusBody {
  return fits<StatusBody>(value, STATUS);
}

function fits<T extends object>(value: unknown, checks: Record<keyof T, Check>): value is T {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return Object.entries<Check>(checks).every(([name, check]) => check(fields.get(name)));
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isTextOrNull(value: unknown): boolean {
  return value === null || isText(value);
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

/** Visible ASCII only: whoever puts it into a header or reads it as a line gets nothing else in with it. */
function isToken(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}

function isHeaderValueOrNull(value: unknown): boolean {
  return value === null || isToken(value);
}

function isFingerprint(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{12}$/.test(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isInstant(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(Date.parse(value));
}

function isInstantOrNull(value: unknown): boolean {
  return value === null || isInstant(value);
}

function isWebAddress(value: unknown): boolean {
  return typeof value === 'string' && /^https?:\/\/[\x21-\x7e]+$/.test(value);
}
