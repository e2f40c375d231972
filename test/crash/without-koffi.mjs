/** Preloaded into a daemon, it makes koffi a package that is not installed. */
import { register } from 'node:module';

const hooks = `
  export async function resolve(specifier, context, next) {
    if (specifier === 'koffi') throw new Error('koffi is not installed');
    return next(specifier, context);
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
