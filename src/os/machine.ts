import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

let identity: string | undefined;

/**
 * Names the running kernel, in containers as well: its boot id on Linux, else the host's name. What the kernel locks
 * reaches exactly as far.
 */
export function identifyMachine(): string {
  identity ??= readBootId() ?? hostname();
  return identity;
}

function readBootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}
