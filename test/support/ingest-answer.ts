/** What ingest answers to what it takes. */

export interface Accepted {
  readonly id: string;
  readonly receipt: string;
  readonly deliveries: number;
  readonly priorities: readonly string[];
}

/** The body of a 202. */
export async function accepted(answer: Promise<Response>): Promise<Accepted> {
  return JSON.parse(await textOf(answer));
}

/** The body of a 202 to a batch, in its order. */
export async function acceptedBatch(answer: Promise<Response>): Promise<readonly Accepted[]> {
  return JSON.parse(await textOf(answer)).events;
}

async function textOf(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  const text = await response.text();
  if (response.status === 202) return text;
  throw new Error(`Not accepted: ${response.status} ${text}`);
}
