/** The request of a batch: CloudEvents in JSON, signed by Standard Webhooks, with what proves who calls. */
import { BATCH_ANSWER_BYTES_MAX } from "../core/batch/limits.ts";
import type { Answer } from "../core/deliver/outcome.ts";
import { ownHeaders } from "../core/deliver/request.ts";
import { signedPrefix } from "../core/deliver/signature.ts";
import { isLive } from "../core/deliver/signing-keys.ts";
import { batchId } from "../core/ids.ts";
import type { OutgoingRequest } from "../ports/transport.ts";
import { proofOf } from "./deliver.ts";
import type { DeliverPorts } from "./ports.ts";
import type { HeldBatch } from "./send-batch.ts";
import { signWhole } from "./sign-delivery.ts";

const CONTENT_TYPE = "application/cloudevents-batch+json";

type Made = { readonly batch: string } & (
  | {
      readonly request: OutgoingRequest;
      /** Takes the answer: a token that was refused is not used again. */
      heard(answer: Answer): void;
    }
  /** Why there is none. */
  | { readonly answer: Answer }
);

/** Rejects on a failure of ours. */
export async function requestOf(
  { id, target, messages }: HeldBatch,
  nowMs: number,
  ports: DeliverPorts,
): Promise<Made> {
  const { crypto, text } = ports;
  const batch = batchId(
    messages.map((each) => each.id),
    crypto,
    text,
  );
  const proof = await proofOf(id, target, nowMs, ports);
  if ("kind" in proof) return { batch, answer: proof };
  const body = arrayOf(messages.map(({ bytes }) => bytes));
  const timestampSeconds = Math.floor(nowMs / 1_000);
  const prefix = text.encode(signedPrefix(batch, timestampSeconds));
  const keys = target.signingKeys.filter((key) => isLive(key, nowMs));
  const headers = ownHeaders({
    targetHeaders: { ...target.headers, ...proof.headers },
    ...{ contentType: CONTENT_TYPE, id: batch, timestampSeconds },
    signatures: keys.map((key) => signWhole(key, prefix, body, crypto)),
  });
  // What the token took is part of the attempt's time.
  const timeoutMs = Math.max(1, target.timeoutMs - (ports.clock.nowMs() - nowMs));
  const answerBytesMax = BATCH_ANSWER_BYTES_MAX;
  return {
    batch,
    request: { url: target.url, headers, body, timeoutMs, answerBytesMax },
    heard: proof.heard,
  };
}

const [OPEN, COMMA, CLOSE] = [0x5b, 0x2c, 0x5d];

/** A JSON array of texts that are JSON each. */
function arrayOf(elements: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(elements.reduce((sum, { length }) => sum + length + 1, 1));
  let at = 0;
  for (const element of elements) {
    bytes[at] = at === 0 ? OPEN : COMMA;
    bytes.set(element, at + 1);
    at += element.length + 1;
  }
  bytes[at] = CLOSE;
  return bytes;
}
