/** The only place that calls an address. */
import type { Clock } from "../ports/clock.ts";
import type { AddressGuard } from "../ports/guard.ts";
import type { Transport } from "../ports/transport.ts";
import { inTime, sendRequest } from "./send-request.ts";

export const createTransport = (guard: AddressGuard, clock: Clock): Transport => ({
  send: (request) =>
    inTime(request.timeoutMs, async (signal) => {
      const { url, body } = request;
      const verdict = await guard.check(url);
      if (verdict.kind !== "allowed") {
        if (!(body instanceof Uint8Array)) await body.stream.cancel().catch(() => {});
        const kind = verdict.kind === "refused" ? "refused" : "network";
        return { kind, detail: verdict.detail };
      }
      return sendRequest((to, init) => fetch(to, init), request, signal, clock);
    }),
});
