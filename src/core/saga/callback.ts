/**
 * The outcome of a step that comes by itself, at an address that was signed for one attempt of it: who made it up,
 * comes too late or speaks of another attempt changes nothing.
 */
import type { Crypto, Text } from "../crypto.ts";
import { base32 } from "../ids.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { Fault } from "../problem.ts";
import { answerEntry } from "./answer.ts";
import {
  type Direction,
  type Entry,
  type Instance,
  isEnded,
  isOpen,
  type Outcome,
} from "./instance.ts";
import { SAGA_ERROR_CHARACTERS_MAX } from "./limits.ts";

/** What a callback's address is signed for. */
export interface CallbackAddress {
  readonly id: string;
  /** The step's name. */
  readonly step: string;
  readonly direction: Direction;
  readonly epoch: number;
  /** Of the attempt. */
  readonly token: number;
  readonly expiresAtMs: number;
}

interface Tools {
  readonly crypto: Crypto;
  readonly text: Text;
}

/** Readable, and signed: `sga_….reserve.a.0.1.1767225600000.…`. */
export function signAddress(address: CallbackAddress, key: Uint8Array, tools: Tools): string {
  const { id, step, direction, epoch, token, expiresAtMs } = address;
  const plain = [id, step, direction === "action" ? "a" : "c", epoch, token, expiresAtMs].join(".");
  return `${plain}.${macOf(plain, key, tools)}`;
}

const ADDRESS = /^(.+)\.([\w-]+)\.([ac])\.(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/;

/** Null for one that was not signed with this key. */
export function readAddress(signed: string, key: Uint8Array, tools: Tools): CallbackAddress | null {
  const end = signed.lastIndexOf(".");
  const plain = signed.slice(0, Math.max(end, 0));
  const [, id = "", step = "", letter, epoch, token, expiresAtMs] = ADDRESS.exec(plain) ?? [];
  const { crypto, text } = tools;
  const mac = text.encode(macOf(plain, key, tools));
  if (!crypto.equal(text.encode(signed.slice(end + 1)), mac)) return null;
  return {
    ...{ id, step, direction: letter === "a" ? "action" : "undo", epoch: Number(epoch) },
    ...{ token: Number(token), expiresAtMs: Number(expiresAtMs) },
  };
}

const macOf = (plain: string, key: Uint8Array, { crypto, text }: Tools): string =>
  base32(crypto.hmac("sha256", key, text.encode(plain)));

/** `{ "output": … }` or `{ "error": "…", "retryable": true }`, or what is wrong with it. */
export function readCallback(
  body: Json,
):
  | { readonly ok: true; readonly outcome: Outcome }
  | { readonly ok: false; readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const fail = (pointer: string, code: string, detail: string) =>
    void faults.push({ pointer, code, detail });
  if (!isJsonObject(body)) {
    fail("", "not-an-object", 'Send { "output": … } or { "error": "…" }.');
    return { ok: false, faults };
  }
  const { output, error, retryable = false, ...rest } = body;
  for (const name of Object.keys(rest))
    fail(`/${name}`, "unknown-member", "A callback has no such member.");
  if ((output === undefined) === (error === undefined))
    fail("", "one-outcome", "Send either `output` or `error`.");
  if (
    error !== undefined &&
    (typeof error !== "string" || error.length > SAGA_ERROR_CHARACTERS_MAX)
  )
    fail("/error", "not-a-text", `A text of ${SAGA_ERROR_CHARACTERS_MAX} characters at most.`);
  if (typeof retryable !== "boolean") fail("/retryable", "not-a-boolean", "true or false.");
  if (body.retryable !== undefined && error === undefined)
    fail("/retryable", "only-of-errors", "Only an error is retryable.");
  if (faults.length > 0) return { ok: false, faults };
  if (typeof error !== "string")
    return { ok: true, outcome: { kind: "succeeded", output: output ?? null } };
  return { ok: true, outcome: { kind: retryable === true ? "unknown" : "rejected", error } };
}

export type HeardBack =
  | { readonly kind: "taken"; readonly entry: Entry }
  /** A copy of one that has counted. */
  | { readonly kind: "known" }
  | { readonly kind: "expired" }
  /** It speaks of an attempt that is not the latest one, or no longer asked for. */
  | { readonly kind: "stale" };

/** What a callback means to an instance; `random` is in [0, 1). */
export function heardBack(
  instance: Instance,
  address: CallbackAddress,
  outcome: Outcome,
  { nowMs, random }: { readonly nowMs: number; readonly random: number },
): HeardBack {
  const { direction, epoch, token, expiresAtMs } = address;
  const step = instance.saga.steps.findIndex(({ name }) => name === address.step);
  const state = instance.steps[step];
  if (state?.calledBack.includes(token)) return { kind: "known" };
  if (expiresAtMs <= nowMs) return { kind: "expired" };
  if (state === undefined || isEnded(instance.status)) return { kind: "stale" };
  if (state.epoch !== epoch || state.token !== token || !isOpen(state, direction)) {
    return { kind: "stale" };
  }
  const at = { nowMs, random, retryAfterMs: null };
  const answer = answerEntry(instance, { step, direction }, token, outcome, at);
  return { kind: "taken", entry: { ...answer, kind: "callback" } };
}
