/** A participant tells the outcome of a step that it had taken on. */
import type { Text } from "../core/crypto.ts";
import { Retryable } from "../core/errors.ts";
import { parseJsonDocument } from "../core/json.ts";
import type { Problem } from "../core/problem.ts";
import { readCallback } from "../core/saga/callback.ts";
import type { CallbackAddress } from "../core/saga/callback-address.ts";
import { SAGA_OUTPUT_BYTES_MAX } from "../core/saga/limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { Callbacks, Sagas } from "../ports/saga.ts";
import { inTime } from "./in-time.ts";

export interface CallbackPorts {
  readonly callbacks: Pick<Callbacks, "read">;
  readonly clock: Clock;
  readonly sagas: Pick<Sagas, "callback">;
  readonly text: Text;
}

export type TakenCallback =
  | { readonly ok: true; readonly instance: string; readonly step: string }
  | { readonly ok: false; readonly problem: Problem };

const refuse = (problem: Problem): TakenCallback => ({ ok: false, problem });

const UNKNOWN: Problem = {
  slug: "callback-unknown",
  detail: "No instance waits at this address, or ever did.",
};

/**
 * Once, however often it comes. `readBody` answers null for one that is longer than it is told. Throws Retryable
 * when the instance does not answer: then it may have heard it or not, and a copy does no harm.
 */
export async function takeCallback(
  signed: string,
  readBody: (bytesMax: number) => Promise<Uint8Array | null>,
  ports: CallbackPorts,
): Promise<TakenCallback> {
  const address = ports.callbacks.read(signed);
  if (address === null) return refuse(UNKNOWN);
  const bytesMax = SAGA_OUTPUT_BYTES_MAX;
  const bytes = await readBody(bytesMax);
  if (bytes === null) {
    const detail = `A callback has ${bytesMax} bytes at most.`;
    return refuse({ slug: "payload-too-large", detail, extensions: { bytesMax } });
  }
  const text = ports.text.decode(bytes);
  const document = text === null ? null : parseJsonDocument(text);
  if (document?.ok !== true) {
    return refuse({ slug: "malformed-request", detail: "The body is not JSON in UTF-8." });
  }
  const read = readCallback(document.value);
  if (!read.ok) {
    const detail = "The callback is not valid: every fault is listed.";
    return refuse({ slug: "validation-failed", detail, errors: read.faults });
  }
  const telling = ports.sagas.callback(address, read.outcome).catch((): never => {
    throw new Retryable("the instance did not answer");
  });
  const answer = await inTime(telling, ports, "the instance did not answer in time");
  return answered(answer, address);
}

function answered(
  answer: Awaited<ReturnType<Sagas["callback"]>>,
  { id, step, expiresAtMs }: CallbackAddress,
): TakenCallback {
  switch (answer) {
    case "taken":
    case "known":
      return { ok: true, instance: id, step };
    case "expired": {
      const expiredAt = new Date(expiresAtMs).toISOString();
      const detail = `The step "${step}" waited for it until ${expiredAt}.`;
      return refuse({ slug: "callback-expired", detail, extensions: { expiredAt } });
    }
    case "stale":
      return refuse({
        slug: "callback-stale",
        detail: `This attempt of the step "${step}" is not asked for any more.`,
      });
    case "unknown":
      return refuse(UNKNOWN);
  }
}
