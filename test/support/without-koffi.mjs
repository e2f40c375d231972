/*
 * Loaded into a process before its program (`node --import`): there, the optional package koffi is not installed.
 */
import { register } from 'node:module';

const HOOKS = `export function resolve(specifier, context, next) {
  if (specifier !== 'koffi') return next(specifier, context);
  throw Object.assign(new Error('koffi is not installed'), { code: 'ERR_MODULE_NOT_FOUND' });
}`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
