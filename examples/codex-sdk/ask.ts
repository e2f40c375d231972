// Asks questions with the Codex SDK, one turn of the same thread each:
//   npx tsx ask.ts 'what is 1+1?' 'and twice that?'
import { Codex } from '@openai/codex-sdk';
import { codexOptions } from 'codex-authd';

const codex = new Codex(await codexOptions()); // the line that matters

const thread = codex.startThread({ skipGitRepoCheck: true });
for (const question of process.argv.slice(2)) {
  const { finalResponse } = await thread.run(question);
  console.log(finalResponse);
}
