import { AuthdError } from '../../errors.js';
import type { Command } from '../command.js';
import { bashCompletion } from '../completion/bash.js';
import { fishCompletion } from '../completion/fish.js';
import { zshCompletion } from '../completion/zsh.js';
import { EXIT } from '../exit-codes.js';
import { SHELLS } from '../table.js';

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], () => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export const run: Command = async ({ operands: [name = ''], output }) => {
  const shell = SHELLS.find((each) => each === name);
  if (shell === undefined) {
    throw new AuthdError('usage', `there are no completions for \`${name}\``, {
      hint: `the shells are ${SHELLS.join(', ')}`,
    });
  }
  await output.data(SCRIPTS[shell]());
  return EXIT.ok;
};
