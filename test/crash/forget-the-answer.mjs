/** Preloaded into a daemon, it plants a fault: what is written at once, the answer, reaches no file. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { writeSync } = fs;
fs.writeSync = (descriptor, bytes, ...rest) =>
  typeof bytes === 'string' ? writeSync(descriptor, bytes, ...rest) : bytes.length;
syncBuiltinESMExports();
