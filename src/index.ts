export { readCredential, type CredentialOptions } from './client/credential.js';
export {
  openCredentialSource,
  type CredentialSource,
  type CredentialSourceOptions,
  type GetOptions,
} from './client/source/credential-source.js';
export { reportRejected, type RejectedOptions } from './client/rejected.js';
export {
  AuthdError,
  type ErrorCode,
  type ErrorDetails,
  type ProblemCode,
  type UnservedCode,
} from './errors.js';
export type {
  AccountStatus,
  CredentialBody,
  EventBodies,
  HealthBody,
  LoginKind,
  ProblemBody,
  RotationCounts,
  StatusBody,
} from './protocol.js';
export type { ReasonCode, StateName } from './core/state.js';
