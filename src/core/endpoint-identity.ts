import { createHash } from 'node:crypto';

/** What decides, beside the refresh token, whether a token endpoint accepts it. */
export interface EndpointSettings {
  readonly url: string;
  readonly clientId: string;
  readonly bodyFormat: string;
}

/** The same for two settings exactly if a rejection under the one says all about the other. */
export function identifyEndpoint({ url, clientId, bodyFormat }: EndpointSettings): string {
  const seen = JSON.stringify([url, clientId, bodyFormat]);
  return createHash('sha256').update(seen).digest('hex').slice(0, 16);
}
