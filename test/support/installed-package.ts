import { existsSync } from 'node:fs';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SHIPPED = ['bin', 'dist', 'systemd', 'launchd', 'package.json'];

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

/** Puts the package into `directory` as it would be installed: what is published, with the dependencies that it needs to run. */
export async function copyPackage(directory: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as LockFile;
  const dependencies = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => path)
    // Those for other systems are not there.
    .filter((path) => existsSync(join(ROOT, path)));
  for (const path of [...SHIPPED, ...dependencies]) {
    await cp(join(ROOT, path), join(directory, path), { recursive: true });
  }
}
