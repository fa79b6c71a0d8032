/** W3C Trace Context: the sender's trace is carried on; a webhook without one starts its own. */
import { encodeHex } from "./bytes.ts";

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * The `traceparent` of an event: the trace of `received` if that is valid (trace-context §3.2.2),
 * with a new span; otherwise a new trace. `random` is 24 fresh random bytes.
 */
export function traceparentOf(received: string | null, random: Uint8Array): string {
  const match = TRACEPARENT.exec(received ?? "");
  const valid = match !== null && !/^0+$/.test(match[1] ?? "") && !/^0+$/.test(match[2] ?? "");
  const trace = valid ? match[1] : encodeHex(random.subarray(0, 16));
  const flags = valid ? match[3] : "01";
  return `00-${trace}-${encodeHex(random.subarray(16, 24))}-${flags}`;
}
