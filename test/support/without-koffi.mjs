/*
 * Loaded into a process before its program (`node --import`): there, the optional package koffi is not installed.
 */
import module from 'node:module';

const HOOKS = `export function resolve(specifier, context, next) {
  if (specifier !== 'koffi') return next(specifier, context);
  throw Object.assign(new Error('koffi is not installed'), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
const hooksUrl = `data:text/javascript,${encodeURIComponent(HOOKS)}`;

// Node 20 has only the one; Node 26 complains on stderr of whoever still uses it.
if (module.registerHooks === undefined) module.register(hooksUrl);
else module.registerHooks(await import(hooksUrl));
