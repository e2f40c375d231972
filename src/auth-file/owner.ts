import { dirname } from 'node:path';
import type { FileSystem, OpenFile, Owner } from '../os/file-system.js';

/** Gives a file that root has made to the owner of the one that it is to replace; of its directory, if there is none. */
export async function adoptOwner(fs: FileSystem, like: string, file: OpenFile): Promise<void> {
  const { owner } = await file.stat();
  if (owner.uid !== 0) return;
  const { uid, gid } = await ownerOf(fs, like);
  if (uid !== owner.uid || gid !== owner.gid) await file.chown({ uid, gid });
}

async function ownerOf(fs: FileSystem, path: string): Promise<Owner> {
  const found = await fs.stat(path).catch(() => fs.stat(dirname(path)));
  return found.owner;
}
