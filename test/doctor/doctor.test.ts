import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { Patient } from './patient.js';

/** Every file below a directory: kind, mode, times and contents. */
async function photograph(directory: string): Promise<string[]> {
  const names = (await readdir(directory, { recursive: true })).sort();
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const info = await lstat(path, { bigint: true });
      const hash = info.isFile()
        ? createHash('sha256')
            .update(await readFile(path))
            .digest('hex')
        : '';
      return [name, info.mode, info.size, info.ino, info.mtimeNs, info.ctimeNs, hash].join(' ');
    }),
  );
}

describe('doctor', () => {
  it('finds nothing to mend where a daemon runs and everything is well', async () => {
    const patient = await Patient.admit();
    await DaemonProcess.start({ sandbox: patient.sandbox, tokenEndpoint: patient.endpoint.url });
    const { end, findings } = await patient.examine();
    expect(findings.filter(({ level }) => level === 'fail')).toEqual([]);
    expect(end.code).toBe(0);
    for (const { level, command } of findings) expect(command === null).toBe(level === 'ok');
    const { stdout } = await runCli(patient.sandbox, ['doctor'], { env: patient.env });
    for (const { id } of findings) expect(stdout).toMatch(new RegExp(`^\\S+ +${id} +\\S`, 'm'));
    expect(stdout).toMatch(/\n\d+ ok, \d+ warn, 0 fail\n$/);
  });

  it('ends with 1 where something fails, and names the command below it', async () => {
    const patient = await Patient.admit();
    const { code, stdout } = await runCli(patient.sandbox, ['doctor'], { env: patient.env });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^fail {2}socket .*\n +run: codex-authd up$/m);
  });

  it.each(['with', 'without'])('changes no file and sends no token, %s a daemon', async (presence) => {
    const patient = await Patient.admit();
    const { sandbox, endpoint } = patient;
    if (presence === 'with') await DaemonProcess.start({ sandbox, tokenEndpoint: endpoint.url });
    await patient.examine();
    const homes = [sandbox.codexHome, join(sandbox.directory, 'config'), join(sandbox.directory, 'run')];
    if (presence === 'with') homes.push(join(sandbox.directory, 'state'));
    const before = await Promise.all(homes.map(photograph));
    const names = await readdir(sandbox.directory);
    await patient.examine();
    expect(await Promise.all(homes.map(photograph))).toEqual(before);
    expect(await readdir(sandbox.directory)).toEqual(names);
    expect(endpoint.requests.length).toBeGreaterThan(0);
    for (const { fields, fingerprint } of endpoint.requests)
      expect({ fields, fingerprint }).toEqual({ fields: {}, fingerprint: null });
  });

  it('prints no token', async () => {
    const patient = await Patient.admit();
    const text = await readFile(patient.authFile, 'utf8');
    const { tokens } = JSON.parse(text) as { tokens: Record<string, string> };
    const { stdout } = await runCli(patient.sandbox, ['doctor'], { env: patient.env });
    for (const name of ['access_token', 'refresh_token', 'id_token']) {
      expect(stdout).not.toContain(tokens[name]);
    }
  });

  it('tells the same of locks without what it would need to take one', async () => {
    const patient = await Patient.admit();
    const daemon = await DaemonProcess.start({
      sandbox: patient.sandbox,
      tokenEndpoint: patient.endpoint.url,
    });
    const preload = ['--import', new URL('../support/without-koffi.mjs', import.meta.url).href];
    const { findings } = await patient.examine({}, preload);
    expect(findings).toContainEqual({
      id: 'account-lock',
      account: 'default',
      level: 'ok',
      found: `kept by the daemon with pid ${String(daemon.pid)}`,
      command: null,
    });
  });

  it('looks at every account, and at the one that is named', async () => {
    const patient = await Patient.admit();
    await writeFile(
      patient.sandbox.configFile,
      `[[account]]\nname = "default"\n\n[[account]]\nname = "work"\ncodex_home = "${patient.sandbox.directory}/work"\n` +
        `token_endpoint = "${patient.endpoint.url}"\n`,
    );
    const { findings } = await patient.examine();
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'auth-file', account: 'default', level: 'ok' }),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({
        id: 'auth-file',
        account: 'work',
        level: 'fail',
        command: `CODEX_HOME='${patient.sandbox.directory}/work' codex login`,
      }),
    );
    const args = ['doctor', '--json', '--account', 'default'];
    const { stdout } = await runCli(patient.sandbox, args, { env: patient.env });
    expect(stdout).not.toContain('"work"');
    const stranger = ['doctor', '--account', 'nobody'];
    expect(await runCli(patient.sandbox, stranger, { env: patient.env })).toMatchObject({
      code: 1,
      stdout: '',
    });
  });
});
