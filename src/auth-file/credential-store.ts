import { join } from 'node:path';
import { parse } from 'smol-toml';
import type { FileSystem } from '../os/file-system.js';
import { readText } from './read-text.js';

const LARGEST_CONFIG_BYTES = 1024 * 1024;

/**
 * Where Codex keeps its credential instead of in auth.json: `cli_auth_credentials_store` in its config.toml
 * (facts 1.6). Null if that is the file, or nothing can be read that says otherwise.
 */
export async function readOtherStore(fs: FileSystem, codexHome: string): Promise<string | null> {
  try {
    const config = parse(await readText(fs, join(codexHome, 'config.toml'), LARGEST_CONFIG_BYTES));
    const store = config['cli_auth_credentials_store'];
    return store === 'keyring' || store === 'auto' || store === 'ephemeral' ? store : null;
  } catch {
    return null;
  }
}
