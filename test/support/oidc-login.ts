import { createHash, randomBytes } from 'node:crypto';

/** The client that logs in. */
export interface LoginRequest {
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scope: string;
}

interface TokenResponse {
  readonly id_token: string;
  readonly access_token: string;
  readonly refresh_token: string;
}

/** More pages than a login has. */
const MOST_PAGES = 12;

/**
 * The authorization code flow with PKCE (RFC 7636), a person's part included: follows the server's redirects, fills
 * in its login and consent pages, and exchanges the code for tokens. Nobody need listen at the redirect URI.
 */
export async function logIn(request: LoginRequest): Promise<TokenResponse> {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const start = new URL('/auth', request.issuer);
  start.search = new URLSearchParams({
    response_type: 'code',
    client_id: request.clientId,
    redirect_uri: request.redirectUri,
    scope: request.scope,
    prompt: 'consent',
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();
  const returned = await browse(start, request.redirectUri);
  const code = returned.searchParams.get('code');
  if (code === null || returned.searchParams.get('state') !== state) {
    throw new Error(`the login failed: ${returned.search}`);
  }
  return exchange(request, code, verifier);
}

/** Clicks through the pages until the server sends the browser back to the client; resolves to that address. */
async function browse(start: URL, redirectUri: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = start;
  let form: URLSearchParams | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const response = await fetch(url, {
      method: form === null ? 'GET' : 'POST',
      body: form,
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    const body = await response.text();
    const location = response.headers.get('location');
    if (location?.startsWith(redirectUri) === true) return new URL(location);
    if (location !== null) {
      url = new URL(location, url);
      form = null;
    } else {
      form = fillIn(body);
    }
  }
  throw new Error(`the login does not come to an end; the last page was ${url.href}`);
}

/** The form on a page of the server's, which posts to the page's own address. */
function fillIn(html: string): URLSearchParams {
  const prompt = /name="prompt" value="(\w+)"/.exec(html)?.[1];
  if (prompt === 'login') return new URLSearchParams({ prompt, login: 'ada', password: 'any' });
  if (prompt === 'consent') return new URLSearchParams({ prompt });
  throw new Error(`the login met an unknown page: ${html.slice(0, 200)}`);
}

async function exchange(request: LoginRequest, code: string, verifier: string): Promise<TokenResponse> {
  const response = await fetch(new URL('/token', request.issuer), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: request.clientId,
      redirect_uri: request.redirectUri,
      code,
      code_verifier: verifier,
    }),
  });
  const body: unknown = await response.json();
  const tokens: Partial<Record<string, unknown>> =
    typeof body === 'object' && body !== null ? { ...body } : {};
  const { id_token, access_token, refresh_token } = tokens;
  if (typeof id_token !== 'string' || typeof access_token !== 'string' || typeof refresh_token !== 'string') {
    throw new Error(`the code brought no login: ${JSON.stringify(body)}`);
  }
  return { id_token, access_token, refresh_token };
}
