/**
 * Whether a receiver wants to be sent to: it is asked before its target gets anything (CloudEvents, "HTTP 1.1
 * Web Hooks for Event Delivery" 1.0, section 4).
 */
import { type Answer, describe } from "./outcome.ts";

export const REQUEST_ORIGIN = "webhook-request-origin";
const ALLOWED_ORIGIN = "webhook-allowed-origin";
const ALLOWED_RATE = "webhook-allowed-rate";
/** Of the answer, what is read. */
export const PERMISSION_HEADERS: readonly string[] = [ALLOWED_ORIGIN, ALLOWED_RATE];

export interface Permission {
  /** The one that was named, or `*`. */
  readonly origin: string;
  /** Requests a minute that the receiver takes; null when it sets no limit. */
  readonly ratePerMinute: number | null;
  readonly at: string;
}

export type Handshake =
  | { readonly kind: "permitted"; readonly permission: Permission }
  | { readonly kind: "refused"; readonly reason: string }
  /** No answer came: what the receiver said before still holds. */
  | { readonly kind: "unknown"; readonly reason: string };

/** What `answer` says to `origin`; of its own text nothing is repeated. */
export function handshakeOf(answer: Answer, origin: string, at: string): Handshake {
  if (answer.kind === "timeout" || answer.kind === "network") {
    return { kind: "unknown", reason: `it did not answer (${describe(answer)})` };
  }
  const refused = (reason: string): Handshake => ({ kind: "refused", reason });
  if (answer.kind === "refused") return refused(describe(answer));
  if (answer.status >= 500) return { kind: "unknown", reason: `it answered ${answer.status}` };
  if (answer.status < 200 || answer.status > 299) return refused(`it answered ${answer.status}`);
  const allowed = answer.headers?.get(ALLOWED_ORIGIN)?.trim().toLowerCase();
  if (allowed === undefined) return refused("its answer has no WebHook-Allowed-Origin");
  if (allowed !== "*" && allowed !== origin) {
    return refused("its WebHook-Allowed-Origin is not this router");
  }
  const rate = answer.headers?.get(ALLOWED_RATE)?.trim() ?? "*";
  if (rate !== "*" && !/^[1-9]\d{0,8}$/.test(rate)) {
    return refused("its WebHook-Allowed-Rate is no number of requests a minute");
  }
  const ratePerMinute = rate === "*" ? null : Number(rate);
  return { kind: "permitted", permission: { origin: allowed, ratePerMinute, at } };
}

/** What a target keeps of it: a permission, or why it is closed. */
export function afterHandshake(
  handshake: Handshake,
  before: Permission | undefined,
  at: string,
): { permission: Permission } | { disabled: { reason: string; at: string } } {
  if (handshake.kind === "permitted") return { permission: handshake.permission };
  if (handshake.kind === "unknown" && before !== undefined) return { permission: before };
  const reason = `the receiver has not permitted deliveries: ${handshake.reason}`;
  return { disabled: { reason, at } };
}
