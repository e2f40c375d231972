import type { Command } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { commandHelp, generalHelp } from '../help.js';
import { unknownCommand } from '../parse.js';
import { findCommand } from '../table.js';

export const run: Command = async ({ operands: [name], switches, output }) => {
  if (switches.has('man')) {
    const { manPage } = await import('../man-page.js');
    await output.data(manPage());
    return EXIT.ok;
  }
  if (name === undefined) {
    await output.data(generalHelp());
    return EXIT.ok;
  }
  const command = findCommand(name);
  if (command === undefined) throw unknownCommand(name);
  await output.data(commandHelp(command));
  return EXIT.ok;
};
