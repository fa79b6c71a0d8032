/** What ingest answered, with the status it must come with. */

export interface Accepted {
  readonly id: string;
  readonly receipt: string;
  readonly deliveries: number;
  readonly priorities: readonly string[];
}

export interface Refused {
  readonly status: number;
  /** The last part of the problem's type. */
  readonly problem: string;
  readonly reason?: string;
  readonly errors?: readonly { readonly pointer: string; readonly code: string }[];
}

/** The body of a 202. */
export async function accepted(answer: Promise<Response>): Promise<Accepted> {
  return JSON.parse(await textOf(answer, 202, "application/json"));
}

/** The body of a 202 to a batch, in its order. */
export async function acceptedBatch(answer: Promise<Response>): Promise<readonly Accepted[]> {
  return JSON.parse(await textOf(answer, 202, "application/json")).events;
}

/** What an RFC 9457 problem says. */
export async function refused(answer: Promise<Response>): Promise<Refused> {
  const { status } = await answer;
  const body = JSON.parse(await textOf(answer, status, "application/problem+json"));
  const { type, reason, errors } = body;
  return {
    status: body.status === status ? status : Number.NaN,
    problem: String(type).replace(/^.*\/problems\//, ""),
    ...(reason === undefined ? {} : { reason }),
    ...(errors === undefined ? {} : { errors }),
  };
}

async function textOf(
  answer: Promise<Response>,
  status: number,
  contentType: string,
): Promise<string> {
  const response = await answer;
  const text = await response.text();
  const isAsked = response.status === status;
  if (isAsked && response.headers.get("content-type")?.startsWith(contentType)) return text;
  throw new Error(`Not a ${status} in ${contentType}: ${response.status} ${text}`);
}
