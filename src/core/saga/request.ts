/** A step's request with its references replaced; made once for a key. */
import { type Json, stringifyJson } from "../json.ts";
import { SAGA_BODY_BYTES_MAX, SAGA_HEAD_CHARACTERS_MAX } from "../limits.ts";
import type { Instance, RenderedRequest } from "./instance.ts";
import { type Call, scopeOf } from "./plan.ts";
import { render } from "./references.ts";

export type RequestRendered =
  | { readonly ok: true; readonly request: RenderedRequest }
  | { readonly ok: false; readonly error: string };

/** What `fetch` takes and no participant misreads (RFC 9110 §5.5, without bytes above ASCII). */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

/** What a URL parser takes for a step up or none (URL Standard, "double-dot URL path segment"). */
const DOT_SEGMENT = /^(\.|%2e){1,2}$/i;

const leadsElsewhere = (address: string): boolean =>
  address
    .replace(/[?#].*$/s, "")
    .split(/[/\\]/)
    .some((segment) => DOT_SEGMENT.test(segment));

/** A target's URL with what a step adds; the query of the URL stays its query. */
export function addressOf(url: string, path: string): string {
  const [, base = "", query = ""] = /^([^?#]*)(?:\?([^#]*))?/.exec(url) ?? [];
  const joined = path === "" ? base : base.replace(/\/$/, "") + path;
  if (query === "") return joined;
  return `${joined}${joined.includes("?") ? "&" : "?"}${query}`;
}

/** Fails where a reference names what is not there; then nothing is sent. */
export function renderRequest(instance: Instance, { step, direction }: Call): RequestRendered {
  const definition = instance.saga.steps[step];
  if (definition?.kind !== "action") return { ok: false, error: "the step makes no request" };
  const act = direction === "action" ? definition.action : definition.compensate;
  if (act === null) return { ok: false, error: "the step has no compensation" };
  const { http } = act;
  const scope = scopeOf(instance);
  const url = render(http.url ?? http.path ?? "", scope, encodeURIComponent);
  const headers = render(http.headers ?? {}, scope);
  const body = http.body === undefined ? null : render(http.body, scope);
  const failed = [url, headers, body].find((part) => part !== null && !part.ok);
  if (failed !== undefined && failed !== null && !failed.ok) {
    return { ok: false, error: `${failed.missing} is not there` };
  }
  const text = body?.ok === true ? stringifyJson(body.value) : null;
  if (text !== null && text.length > SAGA_BODY_BYTES_MAX) {
    return {
      ok: false,
      error: `the body has ${text.length} characters; ${SAGA_BODY_BYTES_MAX} at most`,
    };
  }
  const plain = (value: Json): string => (typeof value === "string" ? value : stringifyJson(value));
  const sent = Object.entries((headers.ok ? headers.value : null) ?? {}).map(
    ([name, value]) => [name, plain(value)] as const,
  );
  const unfit = sent.find(([, value]) => !HEADER_VALUE.test(value));
  if (unfit !== undefined) return { ok: false, error: `${unfit[0]} would be no header value` };
  const address = url.ok ? plain(url.value) : "";
  if (leadsElsewhere(address)) return { ok: false, error: "a part of the path is . or .." };
  const head = sent.reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    address.length,
  );
  if (head > SAGA_HEAD_CHARACTERS_MAX) {
    const error = `URL and headers have ${head} characters; ${SAGA_HEAD_CHARACTERS_MAX} at most`;
    return { ok: false, error };
  }
  return {
    ok: true,
    request: {
      ...{ method: http.method ?? "POST", url: address },
      ...(http.target === undefined ? {} : { target: http.target }),
      headers: Object.fromEntries(sent),
      body: text,
    },
  };
}
