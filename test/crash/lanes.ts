/** Two at a time: the machine has two cores. Each lane takes the next item when it is done with one. */
export async function inLanes<Item, Lane, Result>(
  items: readonly Item[],
  open: () => Promise<Lane>,
  work: (item: Item, lane: Lane) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const queue = [...items];
  const results: Result[] = [];
  const run = async (): Promise<void> => {
    const lane = await open();
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      results.push(...(await work(item, lane)));
    }
  };
  await Promise.all([run(), run()]);
  return results;
}
