/**
 * Preloaded into a daemon, together with without-koffi.mjs, it makes the machine look like another one to it: with a boot
 * id of its own, and with kernel locks that exclude nobody elsewhere. What is left is the lock in the file system.
 * $NOT_ON_THIS_MACHINE is a directory that only the others have.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const { readFileSync } = fs;
fs.readFileSync = (path, ...rest) =>
  path === '/proc/sys/kernel/random/boot_id' ? `boot-${process.pid}` : readFileSync(path, ...rest);

const foreign = process.env.NOT_ON_THIS_MACHINE;
if (foreign !== undefined) {
  for (const name of ['open', 'readdir', 'unlink']) {
    const real = fs.promises[name];
    fs.promises[name] = async (path, ...rest) => {
      if (path === foreign || `${path}`.startsWith(`${foreign}/`)) {
        throw Object.assign(new Error(`ENOENT: ${path} is on another machine`), { code: 'ENOENT' });
      }
      return real(path, ...rest);
    };
  }
}
syncBuiltinESMExports();

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function elsewhere(path, ...rest) {
  const isAbstract = typeof path === 'string' && path.startsWith('\0');
  return listen.call(this, isAbstract ? `${path}-${process.pid}` : path, ...rest);
};
