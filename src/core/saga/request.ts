/** A step's request with its references replaced; made once for a key. */
import { stringifyJson } from "../json.ts";
import { SAGA_BODY_BYTES_MAX } from "../limits.ts";
import type { Instance, RenderedRequest } from "./instance.ts";
import { type Call, scopeOf } from "./plan.ts";
import { render } from "./references.ts";

export type RequestRendered =
  | { readonly ok: true; readonly request: RenderedRequest }
  | { readonly ok: false; readonly error: string };

/** Fails where a reference names what is not there; then nothing is sent. */
export function renderRequest(instance: Instance, { step, direction }: Call): RequestRendered {
  const definition = instance.saga.steps[step];
  if (definition?.kind !== "action") return { ok: false, error: "the step makes no request" };
  const http = direction === "action" ? definition.action : definition.compensate;
  if (http === null) return { ok: false, error: "the step has no compensation" };
  const scope = scopeOf(instance);
  const url = render(http.url, scope, encodeURIComponent);
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
  const plain = (value: unknown): string =>
    typeof value === "string" ? value : JSON.stringify(value);
  return {
    ok: true,
    request: {
      method: http.method ?? "POST",
      url: url.ok ? plain(url.value) : "",
      headers: headers.ok
        ? Object.fromEntries(
            Object.entries(headers.value ?? {}).map(([name, value]) => [name, plain(value)]),
          )
        : {},
      body: text,
    },
  };
}
