/** How a problem is answered (RFC 9457). */
import type { Context } from "hono";
import { PROBLEMS, type Problem, problemBody } from "../src/core/problem.ts";

/** The answer for `problem`; `instance` names the request, as the sender's trace or a new id. */
export function problemResponse(context: Context, problem: Problem): Response {
  const { status } = PROBLEMS[problem.slug];
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
  });
  if (problem.retryAfterMs !== undefined) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(problem.retryAfterMs / 1_000))));
  }
  if (problem.allow !== undefined) headers.set("allow", problem.allow);
  if (status === 401) {
    // A webhook is verified by its source's own scheme; no bearer token would help.
    const scheme = problem.slug === "unauthenticated" ? "Bearer" : "Webhook";
    headers.set("www-authenticate", `${scheme} realm="signalbox"`);
  }
  const instance = `urn:uuid:${crypto.randomUUID()}`;
  const body = problemBody(problem, new URL(context.req.url).origin, instance);
  return new Response(JSON.stringify(body), { status, headers });
}
