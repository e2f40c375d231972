/**
 * Preloaded into a daemon, together with without-koffi.mjs, it makes the machine look like another one to it: with a boot
 * id of its own, and with kernel locks that exclude nobody elsewhere. What is left is the lock in the file system.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const { readFileSync } = fs;
fs.readFileSync = (path, ...rest) =>
  path === '/proc/sys/kernel/random/boot_id' ? `boot-${process.pid}` : readFileSync(path, ...rest);
syncBuiltinESMExports();

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function elsewhere(path, ...rest) {
  const isAbstract = typeof path === 'string' && path.startsWith('\0');
  return listen.call(this, isAbstract ? `${path}-${process.pid}` : path, ...rest);
};
