import { checkAuthFile, checkAuthFileMode, checkAuthFileOwner } from './checks/auth-file.js';
import { checkCodex } from './checks/codex.js';
import { checkCredentialStore } from './checks/credential-store.js';
import { checkDirectory, checkSpace } from './checks/directory.js';
import { checkEnvironment } from './checks/environment.js';
import { checkFileSystem } from './checks/file-system.js';
import { checkKoffi } from './checks/koffi.js';
import { checkAccountLock, checkCodexLocks } from './checks/locks.js';
import { checkLogin } from './checks/login.js';
import { checkClock, checkTokenEndpoint } from './checks/network.js';
import { checkNode } from './checks/node.js';
import { checkRefreshers } from './checks/refreshers.js';
import { checkLingering, checkService } from './checks/service.js';
import { checkDaemonVersion, checkSocket, checkSocketDirectory } from './checks/socket.js';
import type { AccountScene, Check, ConfiguredScene, Scene } from './scene.js';

/** What does not depend on the configuration. */
export const MACHINE_CHECKS: readonly Check<Scene>[] = [
  checkNode,
  checkKoffi,
  checkEnvironment,
  checkCodex,
  checkRefreshers,
  checkService,
  checkLingering,
];

export const DAEMON_CHECKS: readonly Check<ConfiguredScene>[] = [
  checkSocket,
  checkSocketDirectory,
  checkDaemonVersion,
];

/** Once for each account. */
export const ACCOUNT_CHECKS: readonly Check<AccountScene>[] = [
  checkCredentialStore,
  checkAuthFile,
  checkAuthFileMode,
  checkAuthFileOwner,
  checkFileSystem,
  checkDirectory,
  checkSpace,
  checkCodexLocks,
  checkAccountLock,
  checkLogin,
  checkTokenEndpoint,
  checkClock,
];
