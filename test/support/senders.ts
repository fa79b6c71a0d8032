/** Many senders at once, each of which sends its next webhook when the last was answered. */

export interface Sent<Answer> {
  readonly index: number;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly answer: Answer;
}

/**
 * Runs `senders` loops over `send(0)`, `send(1)`, … until `count` were sent, or `enough` says so of what
 * was answered till then. In the order of the answers.
 */
export async function sendMany<Answer>(
  load: {
    readonly senders: number;
    readonly count: number;
    readonly enough?: (sent: readonly Sent<Answer>[]) => boolean;
  },
  send: (index: number) => Promise<Answer>,
): Promise<Sent<Answer>[]> {
  const sent: Sent<Answer>[] = [];
  let next = 0;
  async function sender(): Promise<void> {
    while (next < load.count && load.enough?.(sent) !== true) {
      const index = next;
      next += 1;
      const sentMs = Date.now();
      const answer = await send(index);
      sent.push({ index, sentMs, answeredMs: Date.now(), answer });
    }
  }
  await Promise.all(Array.from({ length: load.senders }, sender));
  return sent;
}
