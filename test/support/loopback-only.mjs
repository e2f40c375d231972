/**
 * Imported first by every Node process of a test, it refuses to reach anything but this machine: TCP to an address
 * that is not loopback, the resolution of a name, and UDP altogether. Unix sockets are free.
 *
 * A refusal throws where it happens and is written to the file that LOOPBACK_ONLY_REPORT names, which fails the test
 * (setup.ts), whatever the program makes of the exception. A name under `.invalid` is not refused but not found: no
 * resolver would have been needed to say so (RFC 6761 §6.4).
 *
 * Plain JavaScript, so that `NODE_OPTIONS=--import` works in a child process on every Node.
 */
import dgram from 'node:dgram';
import dns from 'node:dns';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const installed = Symbol.for('codex-authd.loopback-only');

if (!(installed in globalThis)) {
  Object.defineProperty(globalThis, installed, { value: true });
  guardConnect();
  guardNames(dns);
  guardNames(dns.promises);
  guardNames(dns.Resolver.prototype);
  guardNames(dns.promises.Resolver.prototype);
  dgram.createSocket = () => refuse('a UDP socket');
  syncBuiltinESMExports();
}

function guardConnect() {
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function guarded(...args) {
    const target = targetOf(args);
    if (target !== null && !isHere(target)) refuse(`a connection to ${target}`);
    return connect.apply(this, args);
  };
}

/** The host of a connect() call in any of its forms; null for a Unix socket. */
function targetOf(args) {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  if (typeof first === 'object' && first !== null) {
    return typeof first.path === 'string' ? null : (first.host ?? 'localhost');
  }
  if (typeof first === 'string' && !/^\d+$/.test(first)) return null;
  return typeof second === 'string' ? second : 'localhost';
}

function isHere(host) {
  if (host === '' || host === 'localhost' || host.endsWith('.invalid')) return true;
  return host === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(host);
}

function guardNames(resolver) {
  for (const [name, original] of Object.entries(Object.getOwnPropertyDescriptors(resolver))) {
    if (!/^(lookup|lookupService|reverse|resolve.*)$/.test(name) || typeof original.value !== 'function')
      continue;
    resolver[name] = function guarded(host, ...rest) {
      if (name === 'lookup' && typeof host === 'string' && host.endsWith('.invalid'))
        return notFound(host, rest.at(-1));
      if (name !== 'lookup' || !(host === null || isLiteral(host) || isHere(host)))
        refuse(`dns.${name}(${host})`);
      return original.value.call(this, host, ...rest);
    };
  }
}

/** An address is looked up with no question to anybody; connect() does so with every address. */
function isLiteral(host) {
  return net.isIP(host) !== 0;
}

function notFound(hostname, callback) {
  const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), {
    errno: -3008,
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname,
  });
  if (typeof callback !== 'function') return Promise.reject(error);
  process.nextTick(callback, error);
  return undefined;
}

function refuse(what) {
  const message = `loopback-only: refused ${what}`;
  const report = process.env.LOOPBACK_ONLY_REPORT;
  const line = `${message} (process ${process.pid}: ${process.argv.slice(1).join(' ')})\n`;
  if (report) appendFileSync(report, line);
  else process.stderr.write(line);
  throw Object.assign(new Error(message), { code: 'ERR_LOOPBACK_ONLY' });
}
