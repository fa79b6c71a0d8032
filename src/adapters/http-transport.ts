/** The only place that calls an address. */
import type { Clock } from "../ports/clock.ts";
import type { AddressGuard } from "../ports/guard.ts";
import type { Transport } from "../ports/transport.ts";
import { dropBody, inTime, sendRequest } from "./send-request.ts";

export const createTransport = (guard: AddressGuard, clock: Clock): Transport => ({
  send: (request) =>
    inTime(request.timeoutMs, async (signal) => {
      const verdict = await guard.check(request.url);
      if (verdict.kind !== "allowed") {
        await dropBody(request);
        const kind = verdict.kind === "refused" ? "refused" : "network";
        return { kind, detail: verdict.detail };
      }
      return sendRequest((to, init) => fetch(to, init), request, signal, clock);
    }),
});
