export { readCredential, type CredentialOptions } from './client/credential.js';
export { reportRejected, type RejectedOptions } from './client/rejected.js';
export {
  codexOptions,
  type CodexOptions,
  type CodexOptionsChoice,
  type CodexRoute,
} from './client/codex/options.js';
export type { CodexConfig, CodexConfigValue, SdkOptions } from './client/codex/sdk.js';
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
