/** Asks a receiver whether it wants to be sent to. Its target's credentials stay here until it does. */
import {
  type Handshake,
  handshakeOf,
  PERMISSION_HEADERS,
  REQUEST_ORIGIN,
} from "../core/deliver/handshake.ts";
import { HANDSHAKE_TIMEOUT_MS } from "../core/deliver/limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { Transport } from "../ports/transport.ts";

/** `origin`: the name under which the receiver knows this router. Never rejects. */
export async function askPermission(
  url: string,
  origin: string,
  { clock, transport }: { readonly clock: Clock; readonly transport: Transport },
): Promise<Handshake> {
  const answer = await transport.send({
    method: "OPTIONS",
    url,
    headers: new Map([[REQUEST_ORIGIN, origin]]),
    body: new Uint8Array(),
    timeoutMs: HANDSHAKE_TIMEOUT_MS,
    answerHeaders: PERMISSION_HEADERS,
  });
  return handshakeOf(answer, origin, new Date(clock.nowMs()).toISOString());
}
