export { readCredential, type CredentialOptions } from './client/credential.js';
export type { AuthorizationOptions } from './client/http/authorization.js';
export { authInterceptor } from './client/http/auth-interceptor.js';
export { authorizedFetch, type AuthorizedFetchOptions } from './client/http/authorized-fetch.js';
export type {
  DispatchController,
  DispatchHandler,
  DispatchOptions,
  Interceptor,
} from './client/http/dispatch.js';
export {
  openCredentialSource,
  type CredentialSource,
  type CredentialSourceOptions,
  type GetOptions,
} from './client/source/credential-source.js';
export { publish, unpublish, type PublishOptions } from './client/published.js';
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
  PublicationState,
  PublicationStatus,
  PublishedBody,
  RotationCounts,
  StatusBody,
} from './protocol.js';
export type { ReasonCode, StateName } from './core/state.js';
