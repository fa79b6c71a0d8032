/** The registry of every problem an answer may name (RFC 9457), and the only place that makes one. */

/** Served at `/problems/{slug}`; clients switch on `type`, never on text. */
export const PROBLEMS = {
  "malformed-request": {
    status: 400,
    title: "The request cannot be read",
    meaning: "The body or a parameter is not in the form it claims to have.",
    remedy: "Correct what `detail` names and send it again; an unchanged repeat fails again.",
  },
  unauthenticated: {
    status: 401,
    title: "A valid bearer token is required",
    meaning: "The Authorization header is missing or does not hold the admin token.",
    remedy: "Send `Authorization: Bearer <ADMIN_TOKEN>`.",
  },
  "signature-invalid": {
    status: 401,
    title: "The webhook could not be verified",
    meaning:
      "By `reason`: no signature or key came (`missing-header`), its time is too far off (`timestamp-old`, `timestamp-new`), or no secret of the source fits (`no-match`).",
    remedy: "Compare the sender's secret and clock with the source's `verify`.",
  },
  "not-found": {
    status: 404,
    title: "There is nothing here",
    meaning: "The path, or the resource it names, does not exist.",
    remedy: "List the parent resource to see what exists.",
  },
  "source-unknown": {
    status: 404,
    title: "No such source",
    meaning: "The tenant or the source does not exist; which of them is not said.",
    remedy: "Create both with the admin routes; new ones are known everywhere within a second.",
  },
  "callback-unknown": {
    status: 404,
    title: "No such callback",
    meaning: "The address was not made by this router, or what it was made for is gone.",
    remedy: "Use the address of `signalbox-callback` as it came, whole and unchanged.",
  },
  "method-not-allowed": {
    status: 405,
    title: "This method is not allowed here",
    meaning: "The `Allow` header lists the methods that are.",
    remedy: "Send webhooks with POST.",
  },
  conflict: {
    status: 409,
    title: "The resource is in a state that does not allow this",
    meaning:
      "`detail` names the state; `rev`, `count` or `job` says what is there where another was named.",
    remedy: "Read the resource, then decide again.",
  },
  "callback-stale": {
    status: 409,
    title: "The callback speaks of an attempt that is over",
    meaning:
      "The step was asked again since, or needs no answer any more: nothing has changed. Each attempt has an address of its own.",
    remedy: "Answer the latest request under the same idempotency key, or its callback.",
  },
  "too-many-rules": {
    status: 409,
    title: "The tenant has as many rules as it may",
    meaning:
      "Of so many rules (`rulesMax`) no more are kept; those that are there can be replaced.",
    remedy: "Delete rules that are not needed, say more in one (`$or`), or use another tenant.",
  },
  "callback-expired": {
    status: 410,
    title: "The callback comes too late",
    meaning: "Its time was over at `expiredAt`; nothing has changed.",
    remedy: "Answer the next request under the same idempotency key, if one comes.",
  },
  "precondition-failed": {
    status: 412,
    title: "The resource has changed",
    meaning: "`If-Match` does not name the present version; `etag` does.",
    remedy: "Read the resource, apply the change to what you read, send its ETag.",
  },
  "payload-too-large": {
    status: 413,
    title: "The body is too large",
    meaning:
      "More than `bytesMax` bytes came, or a batch of more than `eventsMax` events; nothing was kept.",
    remedy: "Raise the source's `bytesMax` (25 MB at most) or the limit's burst, or send less.",
  },
  "unsupported-media-type": {
    status: 415,
    title: "This media type is not supported",
    meaning: "`detail` names it.",
    remedy: "Send JSON CloudEvents, or the event itself as the body.",
  },
  "validation-failed": {
    status: 422,
    title: "The body is not valid",
    meaning: "`errors` names every fault with its JSON Pointer.",
    remedy: "Correct all of them; nothing was saved.",
  },
  "cloudevent-invalid": {
    status: 422,
    title: "The CloudEvent is not valid",
    meaning: "`errors` names every fault with its JSON Pointer.",
    remedy: "Correct the event as CloudEvents 1.0 demands.",
  },
  "rate-limited": {
    status: 429,
    title: "Over the limit",
    meaning: "`scope` says whose limit: tenant or source. Nothing was kept.",
    remedy: "Send it again after `Retry-After` seconds.",
  },
  internal: {
    status: 500,
    title: "An error of ours",
    meaning: "`instance` names this request in our log.",
    remedy: "Send it again; a webhook's repeat is always safe.",
  },
  unavailable: {
    status: 503,
    title: "Not available at the moment",
    meaning:
      "Something the request needs did not answer; nothing is half done, and what is saved `detail` says.",
    remedy: "Send it again after `Retry-After` seconds.",
  },
  "admin-closed": {
    status: 503,
    title: "The admin routes are closed",
    meaning: "ADMIN_TOKEN is not set, or shorter than 16 characters.",
    remedy: "Set the secret ADMIN_TOKEN and deploy again.",
  },
} as const satisfies Record<
  string,
  { status: number; title: string; meaning: string; remedy: string }
>;

export type ProblemSlug = keyof typeof PROBLEMS;

/** One fault of a body: where (JSON Pointer), which kind, and for a person. */
export interface Fault {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

export interface Problem {
  readonly slug: ProblemSlug;
  readonly detail: string;
  /** Milliseconds; becomes the Retry-After header, rounded up to seconds. */
  readonly retryAfterMs?: number;
  readonly errors?: readonly Fault[];
  /** Further members, as the registry's `meaning` names them. */
  readonly extensions?: Readonly<Record<string, string | number>>;
  readonly allow?: string;
}

/** The JSON body of a problem. `base` is the origin that serves the problem pages. */
export function problemBody(problem: Problem, base: string, instance: string): object {
  const { status, title } = PROBLEMS[problem.slug];
  return {
    type: `${base}/problems/${problem.slug}`,
    title,
    status,
    detail: problem.detail,
    instance,
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
    ...(problem.retryAfterMs === undefined
      ? {}
      : { retryAfterMs: Math.ceil(problem.retryAfterMs) }),
    ...problem.extensions,
  };
}
