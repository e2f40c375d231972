import { spawnSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renderPlist } from '../../../src/service/launchd-plist.js';
import { scratchDir } from '../../support/scratch-dir.js';

it('the launch agent is a property list to libplist too, as shipped and as installed', async () => {
  const directory = await scratchDir();
  const made = await renderPlist({
    command: {
      node: '/opt/homebrew/bin/node',
      script: '/Users/ada/R&D <tools>/codex-authd.js',
      args: ['run'],
      environment: {},
      socket: '/Users/ada/authd.sock',
    },
    logFile: '/Users/ada/Library/Logs/codex-authd.log',
    holdsSocket: true,
  });
  const shipped = await readFile(new URL('../../../launchd/codex-authd.plist', import.meta.url), 'utf8');
  const read = async (text: string): Promise<string> => {
    const path = join(directory, 'agent.plist');
    await writeFile(path, text);
    const binary = join(directory, 'agent.bin');
    // To binary and back: what is XML already it only copies. It ends with 0 whatever the file is.
    const into = spawnSync('plistutil', ['-i', path, '-o', binary], { encoding: 'utf8' });
    if (into.stderr !== '') throw new Error(into.stderr);
    const { stdout } = spawnSync('plistutil', ['-i', binary, '-o', '-'], { encoding: 'utf8' });
    await rm(binary);
    return stdout;
  };
  expect(await read(shipped)).toContain('<string>codex-authd</string>');
  expect(await read(made)).toContain('<string>/Users/ada/R&amp;D &lt;tools&gt;/codex-authd.js</string>');
  await expect(read(made.replace('<dict>', '<dct>'))).rejects.toThrow();
});
