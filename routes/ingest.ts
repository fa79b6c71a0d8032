/** The webhook door: carries a request to the flow and its outcome back. */
import type { Context } from "hono";
import { declaredBytes } from "../src/core/body-length.ts";
import { BODY_BYTES_DROPPED_MAX } from "../src/core/limits.ts";
import { type Acceptance, type AcceptPorts, acceptEvent } from "../src/flows/accept-event.ts";
import { problemResponse } from "./problems.ts";

export async function handleIngest(context: Context, ports: AcceptPorts): Promise<Response> {
  const request = context.req.raw;
  if (context.req.method !== "POST") {
    await dropBody(request);
    const detail = "Webhooks are sent with POST.";
    return problemResponse(context, { slug: "method-not-allowed", detail, allow: "POST" });
  }
  const headers = [...request.headers];
  const accepting = acceptEvent(
    {
      tenant: context.req.param("tenant") ?? "",
      source: context.req.param("source") ?? "",
      headers,
      header: (name) => request.headers.get(name),
      readBody: (bytesMax) => readBody(request, bytesMax),
      defer: (work) => context.executionCtx.waitUntil(work),
    },
    ports,
  );
  // A sender that hangs up must not end a commit on which other senders wait.
  context.executionCtx.waitUntil(accepting.then(nothing, nothing));
  const acceptance = await accepting;
  if (acceptance.kind === "refused") await dropBody(request);
  return answer(context, acceptance);
}

/** Reads what nobody wanted, because a sender who still writes hears no answer. */
async function dropBody(request: Request): Promise<void> {
  if (!request.bodyUsed) await readBody(request, 0).catch(nothing);
}

const nothing = (): void => {};

function answer(context: Context, acceptance: Acceptance): Response {
  switch (acceptance.kind) {
    case "refused":
      return problemResponse(context, acceptance.problem);
    case "challenge":
      return context.text(acceptance.answer);
    case "accepted": {
      const [only] = acceptance.events;
      const body = acceptance.form === "batch" ? { events: acceptance.events } : only;
      return new Response(JSON.stringify(body), {
        status: 202,
        headers: { "content-type": "application/json" },
      });
    }
  }
}

/**
 * The body, counted as it comes unless its length is declared and small enough. Null when it is longer than
 * `bytesMax`; the rest is read and dropped, because a sender who still writes hears no answer.
 */
export async function readBody(request: Request, bytesMax: number): Promise<Uint8Array | null> {
  if (request.body === null) return new Uint8Array();
  if (declaredBytes(request.headers) <= bytesMax) {
    // HTTP ends the body there: it is read whole, in one call instead of one a chunk.
    const whole = new Uint8Array(await request.arrayBuffer());
    return whole.length > bytesMax ? null : whole;
  }
  const reader = request.body.getReader();
  let body = new Uint8Array();
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const start = length;
    length += value.length;
    if (length <= bytesMax) {
      if (length > body.length) body = grown(body, Math.max(length, Math.min(2 * start, bytesMax)));
      body.set(value, start);
    } else if (length > BODY_BYTES_DROPPED_MAX) break;
    else body = new Uint8Array();
  }
  if (length > bytesMax) {
    await reader.cancel().catch(nothing);
    return null;
  }
  return body.subarray(0, length);
}

/** The same bytes with room for more; their old memory is given back at once, not when it is collected. */
const grown = (bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(bytes.buffer.transfer(length));
