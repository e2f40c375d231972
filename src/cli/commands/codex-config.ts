import { join, resolve } from 'node:path';
import { editConfigFile, type ConfigChange } from '../../client/codex/config-file.js';
import { withoutProviderBlocks, withProviderBlocks } from '../../client/codex/config-text.js';
import { commandProvider, PROVIDER_ID, type CommandProvider } from '../../client/codex/provider.js';
import { providerToml } from '../../client/codex/toml.js';
import { readCredential } from '../../client/credential.js';
import { AuthdError } from '../../errors.js';
import { codexHome } from '../../os/paths.js';
import type { Command, Invocation } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { plain } from '../output.js';
import { reachDaemon } from '../reach-daemon.js';

export const run: Command = async (invocation) => {
  const { switches } = invocation;
  const removes = switches.has('remove');
  if (removes && switches.has('write')) {
    throw new AuthdError('usage', '--write and --remove contradict each other', { hint: 'give one of them' });
  }
  if (removes) await tell(invocation, await remove(invocation));
  else if (switches.has('write')) await tell(invocation, await write(invocation));
  else await print(invocation);
  return EXIT.ok;
};

async function print(invocation: Invocation): Promise<void> {
  const { json, output } = invocation;
  const provider = await providerOf(invocation);
  if (json) {
    await output.json({ model_provider: PROVIDER_ID, model_providers: { [PROVIDER_ID]: provider } });
    return;
  }
  const { choice, table } = await providerToml(provider);
  await output.data(`# above the first table of the file\n${choice}\n# at its end\n${table}`);
}

async function write(invocation: Invocation): Promise<ConfigChange> {
  const provider = await providerOf(invocation);
  const file = configFile(invocation);
  return editConfigFile(file, (text) => withProviderBlocks(text, provider, file));
}

function remove(invocation: Invocation): Promise<ConfigChange> {
  const file = configFile(invocation);
  return editConfigFile(file, (text) => withoutProviderBlocks(text, file));
}

async function providerOf(invocation: Invocation): Promise<CommandProvider> {
  const socket = await reachDaemon(invocation);
  const credential = await readCredential({ socket, account: invocation.account });
  return commandProvider({ credential, socket });
}

function configFile({ settings, env }: Invocation): string {
  const home = settings.codexHome === undefined ? codexHome(env) : resolve(settings.codexHome);
  return join(home, 'config.toml');
}

async function tell({ json, output }: Invocation, change: ConfigChange): Promise<void> {
  if (json) {
    await output.json(change);
    return;
  }
  const { file, changed, backup } = change;
  await output.data(plain(changed ? `changed: ${file}` : `unchanged: ${file}`) + '\n');
  if (backup !== null) output.hint(`what it was is in ${backup}`);
}
