/** How many requests were answered, by route and status. */
export interface RequestCounts {
  add(route: string, status: number): void;
  all(): RequestCount[];
}

interface RequestCount {
  readonly route: string;
  readonly status: number;
  readonly count: number;
}

export function createRequestCounts(): RequestCounts {
  const routes = new Map<string, Map<number, number>>();
  return {
    add(route, status) {
      const statuses = routes.get(route) ?? new Map<number, number>();
      routes.set(route, statuses);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    },
    all() {
      return [...routes].flatMap(([route, statuses]) =>
        [...statuses].map(([status, count]) => ({ route, status, count })),
      );
    },
  };
}
