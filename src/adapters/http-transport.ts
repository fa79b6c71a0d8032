/** The only place that calls a target. */
import type { Answer } from "../core/deliver/outcome.ts";
import { parseRetryAfter } from "../core/deliver/retry.ts";
import { refusedAddress } from "../core/deliver/target-url.ts";
import { ANSWER_BYTES_MAX } from "../core/limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { Transport } from "../ports/transport.ts";

export function createTransport(
  options: { readonly allowPrivateTargets: boolean },
  clock: Clock,
): Transport {
  return {
    async send({ method = "POST", url, headers, body, ...limits }): Promise<Answer> {
      const refused = refusedAddress(parsedUrl(url), options.allowPrivateTargets);
      if (refused !== null) return { kind: "refused", detail: refused };
      const signal = AbortSignal.timeout(limits.timeoutMs);
      try {
        const response = await fetch(url, {
          method,
          redirect: "manual",
          headers: Object.fromEntries(headers),
          body: body instanceof Uint8Array ? someOrNone(body) : fixedLength(body),
          signal,
        });
        return {
          kind: "response",
          status: response.status,
          retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), clock.nowMs()),
          body: await firstText(response, limits.answerBytesMax ?? ANSWER_BYTES_MAX),
        };
      } catch (error) {
        if (signal.aborted) return { kind: "timeout" };
        return { kind: "network", detail: networkDetail(error) };
      }
    },
  };
}

/** The parts of a URL that the address check needs, or null for what is no URL. */
export function parsedUrl(url: string): URL | null {
  return URL.canParse(url) ? new URL(url) : null;
}

/** A GET has no body, not even an empty one. */
const someOrNone = (body: Uint8Array): Uint8Array | null => (body.length === 0 ? null : body);

/** A known length, so that the receiver sees Content-Length instead of chunks. */
function fixedLength(body: { stream: ReadableStream<Uint8Array>; bytes: number }): ReadableStream {
  const { readable, writable } = new FixedLengthStream(body.bytes);
  body.stream.pipeTo(writable).catch(() => {}); // seen by fetch as a failed body
  return readable;
}

/** The first bytes of the answer as text; the rest is not read. */
async function firstText(response: Response, bytesMax: number): Promise<string> {
  if (response.body === null) return "";
  const { headers } = response;
  const declared = Number(headers.get("content-length") ?? Number.NaN);
  // A compressed body may be any length once it is read.
  if (declared <= bytesMax && !headers.has("content-encoding")) return response.text();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let left = bytesMax; left > 0; ) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value.subarray(0, left), { stream: true });
    left -= value.length;
  }
  await reader.cancel().catch(() => {});
  return text + decoder.decode();
}

/** The platform's own words, without the address they may contain. */
function networkDetail(error: unknown): string {
  const message = error instanceof Error ? error.message : "request failed";
  return message.replace(/https?:\/\/\S+/g, "[address]").slice(0, 200);
}
