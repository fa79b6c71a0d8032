/** A step's request with its references replaced; made once for a key. */
import { type Json, stringifyJson } from "../json.ts";
import { SAGA_BODY_BYTES_MAX, SAGA_HEAD_CHARACTERS_MAX } from "../limits.ts";
import type { Entry, Instance, RenderedRequest } from "./instance.ts";
import { type Call, scopeOf } from "./plan.ts";
import { charactersBrought, render } from "./references.ts";

export type RequestRendered =
  | { readonly ok: true; readonly request: RenderedRequest }
  | { readonly ok: false; readonly error: string };

/** What `fetch` takes and no participant misreads (RFC 9110 §5.5, without bytes above ASCII). */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

const tooLong = (what: string, characters: number, max: number): RequestRendered => ({
  ok: false,
  error: `${what} ${characters} characters; ${max} at most`,
});

/** Fails where a reference names what is not there; then nothing is sent. */
export function renderRequest(instance: Instance, { step, direction }: Call): RequestRendered {
  const definition = instance.saga.steps[step];
  if (definition?.kind !== "action") return { ok: false, error: "the step makes no request" };
  const http = direction === "action" ? definition.action : definition.compensate;
  if (http === null) return { ok: false, error: "the step has no compensation" };
  const scope = scopeOf(instance);
  const brought = {
    body: charactersBrought(http.body ?? null, scope),
    head: charactersBrought([http.url, http.headers ?? {}], scope),
  };
  if (brought.body > SAGA_BODY_BYTES_MAX)
    return tooLong("the body has", brought.body, SAGA_BODY_BYTES_MAX);
  if (brought.head > SAGA_HEAD_CHARACTERS_MAX)
    return tooLong("URL and headers have", brought.head, SAGA_HEAD_CHARACTERS_MAX);
  const url = render(http.url, scope, encodeURIComponent);
  const headers = render(http.headers ?? {}, scope);
  const body = http.body === undefined ? null : render(http.body, scope);
  const failed = [url, headers, body].find((part) => part !== null && !part.ok);
  if (failed !== undefined && failed !== null && !failed.ok) {
    return { ok: false, error: `${failed.missing} is not there` };
  }
  const text = body?.ok === true ? stringifyJson(body.value) : null;
  if (text !== null && text.length > SAGA_BODY_BYTES_MAX)
    return tooLong("the body has", text.length, SAGA_BODY_BYTES_MAX);
  const plain = (value: Json): string => (typeof value === "string" ? value : stringifyJson(value));
  const sent = Object.entries((headers.ok ? headers.value : null) ?? {}).map(
    ([name, value]) => [name, plain(value)] as const,
  );
  const unfit = sent.find(([, value]) => !HEADER_VALUE.test(value));
  if (unfit !== undefined) return { ok: false, error: `${unfit[0]} would be no header value` };
  const address = url.ok ? plain(url.value) : "";
  const head = sent.reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    address.length,
  );
  if (head > SAGA_HEAD_CHARACTERS_MAX)
    return tooLong("URL and headers have", head, SAGA_HEAD_CHARACTERS_MAX);
  return {
    ok: true,
    request: {
      method: http.method ?? "POST",
      url: address,
      headers: Object.fromEntries(sent),
      body: text,
    },
  };
}

/** What is written down before a call. One that cannot be rendered is none: it fails, and nothing is sent. */
export function intentOf(instance: Instance, { step, direction }: Call): Entry {
  const isRendered = (instance.steps[step]?.requests[direction] ?? null) !== null;
  if (isRendered) return { kind: "request", step, direction };
  const rendered = renderRequest(instance, { step, direction });
  if (rendered.ok) return { kind: "request", step, direction, rendered: rendered.request };
  const { error } = rendered;
  if (direction === "undo") return { kind: "give-up", step, direction, error };
  return { kind: "end-wait", step, outcome: { kind: "rejected", error }, event: null };
}
