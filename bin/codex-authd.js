#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('codex-authd: error: this checkout is not built\n');
  process.stderr.write('codex-authd: hint: run `npm ci`, which builds it\n');
  process.exitCode = 1;
}
