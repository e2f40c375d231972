import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { describeDaemon } from '../../src/service/daemon-command.js';

it('a service is told where the caller is: what is relative there is absolute for it', async () => {
  const env = {
    CODEX_HOME: 'here/.codex',
    SSL_CERT_FILE: './ca.pem',
    SSL_CERT_DIR: 'certs:/etc/certs',
    HTTPS_PROXY: 'http://proxy.example:3128',
    HOME: '/home/ada',
  };
  const { args, environment } = await describeDaemon({ config: 'authd.toml' }, env, '/run/authd.sock');
  expect(environment).toEqual({
    CODEX_HOME: resolve('here/.codex'),
    SSL_CERT_FILE: resolve('ca.pem'),
    SSL_CERT_DIR: `${resolve('certs')}:/etc/certs`,
    HTTPS_PROXY: 'http://proxy.example:3128',
  });
  expect(args).toEqual(['run', '--config', resolve('authd.toml')]);
});
