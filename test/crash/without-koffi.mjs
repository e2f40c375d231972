/** Preloaded into a daemon, it makes koffi a package that cannot be loaded on this system. */
const { dlopen } = process;
process.dlopen = (module, path, ...rest) => {
  if (String(path).includes('koffi')) throw new Error('koffi has no build for this system');
  return dlopen.call(process, module, path, ...rest);
};
