import { readFileSync } from 'node:fs';

/**
 * The version in package.json, which lies one folder above both `src` and `dist`. Read once: an upgrade may put another one there
 * while this one runs.
 */
export function readVersion(): string {
  version ??= versionIn(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return version;
}

let version: string | undefined;

function versionIn(text: string): string {
  const manifest: unknown = JSON.parse(text);
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    return String(manifest.version);
  }
  return 'unknown';
}
