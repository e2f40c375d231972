import type { TokenEndpointPort } from './ports.js';
import type { ServerTime } from './server-time.js';

/** The endpoint, attended: `onLeave` is told when a refresh token leaves, and `time` learns from the answer. */
export function attend(
  endpoint: TokenEndpointPort,
  time: ServerTime,
  onLeave: () => void,
): TokenEndpointPort {
  return {
    url: endpoint.url,
    identity: endpoint.identity,
    prepare: async () => {
      const send = await endpoint.prepare();
      return async (refreshToken, onBytes, mayLeave) => {
        let learnFrom = time.timeRequest();
        const answer = await send(refreshToken, onBytes, async () => {
          if (!(await mayLeave())) return false;
          onLeave();
          // Not before: the machine may have slept while the connection was made.
          learnFrom = time.timeRequest();
          return true;
        });
        learnFrom(answer);
        return answer;
      };
    },
  };
}
