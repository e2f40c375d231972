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
        let isOver = false;
        const mayLeaveNow = async (): Promise<boolean> => {
          // The disk may keep us waiting for longer than the way there may take.
          if (!(await mayLeave()) || isOver) return false;
          onLeave();
          // Not before: the machine may have slept while the connection was made.
          learnFrom = time.timeRequest();
          return true;
        };
        try {
          const answer = await send(refreshToken, onBytes, mayLeaveNow);
          learnFrom(answer);
          return answer;
        } finally {
          isOver = true;
        }
      };
    },
  };
}
