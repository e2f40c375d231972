// Asks questions with fetch:
//   node ask.mjs 'what is 1+1?'
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { authorizedFetch, openCredentialSource } from 'codex-authd';

// One for the whole program: it holds the credential of now in memory, and follows the daemon.
const source = await openCredentialSource();
// A fetch that sets the headers; on a 401 it tells the daemon, and asks once more with the next token.
const send = authorizedFetch(source);

for (const question of process.argv.slice(2)) console.log(await ask(question));

async function ask(question) {
  const { base_url } = await source.get();
  const message = { type: 'message', role: 'user', content: [{ type: 'input_text', text: question }] };
  const response = await send(`${base_url}/responses`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      model: process.env.MODEL ?? 'gpt-5',
      instructions: 'Answer in one line.',
      input: [message],
      store: false,
      stream: true,
    }),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  return readAnswer(createInterface({ input: Readable.fromWeb(response.body) }));
}

async function readAnswer(lines) {
  let answer = '';
  for await (const line of lines) {
    if (!line.startsWith('data: {')) continue;
    const { type, item } = JSON.parse(line.slice('data: '.length));
    if (type === 'response.output_item.done' && item.type === 'message') {
      answer += item.content.map(({ text }) => text).join('');
    }
  }
  return answer;
}
