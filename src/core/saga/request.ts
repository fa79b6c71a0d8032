/** A step's request with its references replaced; made once for a key. */
import { type Json, stringifyJson } from "../json.ts";
import type { HttpDoc, PublishDoc } from "./definition.ts";
import type { Entry, Instance, RenderedRequest } from "./instance.ts";
import {
  SAGA_BODY_BYTES_MAX,
  SAGA_HEAD_CHARACTERS_MAX,
  SAGA_SUBJECT_CHARACTERS_MAX,
} from "./limits.ts";
import { scopeOf } from "./plan.ts";
import { charactersBrought, render } from "./references.ts";
import type { Call } from "./step-plan.ts";

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

const tooLong = (what: string, characters: number, max: number) =>
  ({ ok: false, error: `${what} ${characters} characters; ${max} at most` }) as const;

/** Fails where a reference names what is not there; then nothing is sent. */
export function renderRequest(instance: Instance, { step, direction }: Call): RequestRendered {
  const definition = instance.saga.steps[step];
  if (definition?.kind !== "action") return failed("the step makes no request");
  const act = direction === "action" ? definition.action : definition.compensate;
  if (act === null) return failed("the step has no compensation");
  const scope = scopeOf(instance);
  switch (act.kind) {
    case "http":
      return renderHttp(act.http, scope);
    case "publish":
      return renderEvent(act.publish, scope);
    case "saga": {
      const { name: saga, input = "$.input" } = act.saga;
      const body = renderBody(input, scope);
      return body.ok ? { ok: true, request: { child: "run", saga, body: body.text } } : body;
    }
    case "undo-saga":
      return { ok: true, request: { child: "undo", saga: act.name, body: null } };
  }
}

const failed = (error: string): RequestRendered => ({ ok: false, error });
/** Half a surrogate pair has no percent-encoding: it goes as U+FFFD, as it does in headers. */
const inUrl = (text: string): string => encodeURIComponent(text.toWellFormed());
const plain = (value: Json): string => (typeof value === "string" ? value : stringifyJson(value));

function renderHttp(http: HttpDoc, scope: Json): RequestRendered {
  const brought = charactersBrought([http.url ?? http.path ?? "", http.headers ?? {}], scope);
  if (brought > SAGA_HEAD_CHARACTERS_MAX)
    return tooLong("URL and headers have", brought, SAGA_HEAD_CHARACTERS_MAX);
  const bodyBrought = charactersBrought(http.body ?? null, scope);
  if (bodyBrought > SAGA_BODY_BYTES_MAX)
    return tooLong("the body has", bodyBrought, SAGA_BODY_BYTES_MAX);
  const url = render(http.url ?? http.path ?? "", scope, inUrl);
  const headers = render(http.headers ?? {}, scope);
  const body = renderBody(http.body, scope);
  for (const part of [url, headers]) if (!part.ok) return failed(`${part.missing} is not there`);
  if (!body.ok) return body;
  const sent = Object.entries((headers.ok ? headers.value : null) ?? {}).map(
    ([name, value]) => [name, plain(value)] as const,
  );
  const unfit = sent.find(([, value]) => !HEADER_VALUE.test(value));
  if (unfit !== undefined) return failed(`${unfit[0]} would be no header value`);
  const address = url.ok ? plain(url.value) : "";
  if (leadsElsewhere(address)) return failed("a part of the path is . or ..");
  const head = sent.reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    address.length,
  );
  if (head > SAGA_HEAD_CHARACTERS_MAX)
    return tooLong("URL and headers have", head, SAGA_HEAD_CHARACTERS_MAX);
  return {
    ok: true,
    request: {
      ...{ method: http.method ?? "POST", url: address },
      ...(http.target === undefined ? {} : { target: http.target }),
      ...{ headers: Object.fromEntries(sent), body: body.text },
    },
  };
}

function renderEvent({ type, source, ...event }: PublishDoc, scope: Json): RequestRendered {
  const subject = event.subject === undefined ? null : render(event.subject, scope);
  if (subject?.ok === false) return failed(`${subject.missing} is not there`);
  const body = renderBody(event.data ?? {}, scope);
  if (!body.ok) return body;
  const about = subject === null ? null : plain(subject.value);
  if (about !== null && about.length > SAGA_SUBJECT_CHARACTERS_MAX) {
    return failed(
      `the subject has ${about.length} characters; ${SAGA_SUBJECT_CHARACTERS_MAX} at most`,
    );
  }
  return {
    ok: true,
    request: { publish: { type, source: source ?? null, subject: about }, body: body.text ?? "" },
  };
}

function renderBody(
  template: Json | undefined,
  scope: Json,
): { readonly ok: true; readonly text: string | null } | Extract<RequestRendered, { ok: false }> {
  if (template === undefined) return { ok: true, text: null };
  const brought = charactersBrought(template, scope);
  if (brought > SAGA_BODY_BYTES_MAX) return tooLong("the body has", brought, SAGA_BODY_BYTES_MAX);
  const body = render(template, scope);
  if (!body.ok) return { ok: false, error: `${body.missing} is not there` };
  const text = stringifyJson(body.value);
  return text.length > SAGA_BODY_BYTES_MAX
    ? tooLong("the body has", text.length, SAGA_BODY_BYTES_MAX)
    : { ok: true, text };
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
