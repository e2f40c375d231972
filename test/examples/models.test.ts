import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { setStage } from '../codex/stage-set.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { exampleFile, runProgram, watchArguments } from '../support/example.js';
import { chatgptFile, writeAuthFile } from '../support/login-file.js';
import { fingerprintOf } from '../support/tokens.js';

it('the example for `exec` asks with a token of the account that was named, and none is in an argument', async () => {
  const { endpoint, model, sandbox } = await setStage('');
  const home = join(sandbox.directory, 'work');
  await mkdir(home, { mode: 0o700 });
  const tokens = endpoint.login({ accountId: 'acct-work' });
  await writeAuthFile(join(home, 'auth.json'), chatgptFile(tokens));
  await writeFile(
    sandbox.configFile,
    `chatgpt_base_url = "${model.baseUrl}"
[[account]]
name = "default"
[[account]]
name = "work"
codex_home = "${home}"
`,
  );
  await DaemonProcess.start({ sandbox, env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: '' } });
  const { env, book } = await watchArguments(sandbox, ['codex-authd', 'curl']);
  const program = ['codex-authd', 'exec', '--account', 'work', '--', 'sh', exampleFile('shell/models.sh')];
  const end = await runProgram(sandbox, program, { env });
  expect(end).toEqual({ code: 0, stdout: '{"models":[]}', stderr: '' });
  expect(model.requests).toMatchObject([
    { outcome: 'listed', accountId: 'acct-work', fingerprint: fingerprintOf(tokens.access_token) },
  ]);
  expect(await book()).toMatch(/^token$/m);
  expect(await book()).toMatch(/^curl$/m);
  expect(await book()).not.toContain('eyJ');
});
