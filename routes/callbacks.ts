/** The door of participants that tell the outcome of a saga's step later; the address is their proof. */
import type { Context } from "hono";
import type { App } from "../src/compose.ts";
import { takeCallback } from "../src/flows/take-callback.ts";
import { readBody } from "./ingest.ts";
import { problemResponse } from "./problems.ts";

export async function handleCallback(
  context: Context,
  { callbacks, deliver }: App,
): Promise<Response> {
  if (context.req.method !== "POST") {
    const detail = "Callbacks are sent with POST.";
    return problemResponse(context, { slug: "method-not-allowed", detail, allow: "POST" });
  }
  const taken = await takeCallback(
    context.req.param("address") ?? "",
    (bytesMax) => readBody(context.req.raw, bytesMax),
    { ...deliver, callbacks },
  );
  if (!taken.ok) return problemResponse(context, taken.problem);
  const { instance, step } = taken;
  return context.json({ instance, step });
}
