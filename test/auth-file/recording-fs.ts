import { systemFileSystem, type FileSystem } from '../../src/os/file-system.js';

/** What decides what a loss of power leaves: syncs, by path, renames and unlinks, in the order in which they were asked for. */
export function recordingFileSystem(): { readonly fs: FileSystem; readonly steps: string[] } {
  const steps: string[] = [];
  const fs: FileSystem = {
    ...systemFileSystem,
    open: async (path, flags, mode) => {
      const file = await systemFileSystem.open(path, flags, mode);
      const sync = (): Promise<void> => {
        steps.push(`sync ${path}`);
        return file.sync();
      };
      return { ...file, sync };
    },
    rename: (from, to) => {
      steps.push(`rename ${to}`);
      return systemFileSystem.rename(from, to);
    },
    unlink: (path) => {
      steps.push(`unlink ${path}`);
      return systemFileSystem.unlink(path);
    },
  };
  return { fs, steps };
}
