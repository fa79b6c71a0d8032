/** One request of a step on its way: its headers, and the URL, secrets and timeout of its target as they are now. */

import { authHeaderName, authHeaderValue } from "../core/deliver/auth.ts";
import type { Answer } from "../core/deliver/outcome.ts";
import { signedPrefix } from "../core/deliver/signature.ts";
import { haveAllExpired, isLive } from "../core/deliver/signing-keys.ts";
import { keyOf } from "../core/saga/answer.ts";
import type { ActionStep } from "../core/saga/definition.ts";
import type { RenderedHttp } from "../core/saga/instance.ts";
import { SAGA_OUTPUT_BYTES_MAX, SAGA_TIMEOUT_MS_DEFAULT } from "../core/saga/limits.ts";
import { addressOf } from "../core/saga/request.ts";
import type { Call } from "../core/saga/step-plan.ts";
import type { Target } from "../core/tenant.ts";
import type { SagaStart } from "../ports/saga.ts";
import type { Passage } from "./saga-gate.ts";
import type { SagaPorts } from "./saga-ports.ts";
import { signWhole } from "./sign-delivery.ts";

export interface SagaRequest {
  readonly start: SagaStart;
  readonly call: Call;
  readonly step: ActionStep;
  readonly epoch: number;
  /** Of this attempt. */
  readonly token: number;
  readonly rendered: RenderedHttp;
}

/** What a target that cannot be called says of an effect: nothing, for an earlier attempt may have reached it. */
const notSent = (detail: string): Answer => ({ kind: "network", detail: `not sent: ${detail}` });

/** Sends it once; `passage` is that of its target, if it names one. Rejects when the target could not be read. */
export async function sendRequest(
  request: SagaRequest,
  passage: Passage | null,
  ports: SagaPorts,
): Promise<Answer> {
  const { start, step, rendered } = request;
  const { target: id, method, body: content } = rendered;
  const body = ports.text.encode(content ?? "");
  const limits = { answerBytesMax: SAGA_OUTPUT_BYTES_MAX + 1 };
  if (id === undefined || passage === null) {
    const timeoutMs = step.timeoutMs ?? SAGA_TIMEOUT_MS_DEFAULT;
    const headers = headersOf(request, {}, timeoutMs, ports);
    return ports.transport.send({ method, url: rendered.url, headers, body, timeoutMs, ...limits });
  }
  const target = passage.target();
  if (target === null || target.saga !== null || target.other !== undefined)
    return notSent(`there is no http target "${id}"`);
  if (target.isLocked) return notSent(`the secrets of the target "${id}" are locked`);
  const { auth, signingKeys } = target;
  const begunAtMs = ports.clock.nowMs();
  const expired = notSent(`the secrets of the target "${id}" have all expired`);
  if (haveAllExpired(signingKeys, begunAtMs)) return expired;
  const timeoutMs = step.timeoutMs ?? target.timeoutMs;
  const proof = await proofOf(start.tenant, auth, timeoutMs, ports);
  if ("kind" in proof) return proof;
  // What the token took is part of the attempt's time; what the gate has it wait is not.
  const leftMs = Math.max(1, timeoutMs - (ports.clock.nowMs() - begunAtMs));
  if (!(await passage.turn())) return notSent(`the turn at the gate of "${id}" has passed`);
  const headers = headersOf(request, { ...target.headers, ...proof.headers }, timeoutMs, ports);
  const seconds = Math.floor(ports.clock.nowMs() / 1_000);
  // The last may have ended while a token and the turn were waited for.
  if (haveAllExpired(signingKeys, seconds * 1_000)) return expired;
  for (const [name, value] of signedHeaders(keyOfRequest(request), seconds, body, target, ports))
    headers.set(name, value);
  const url = addressOf(target.url, rendered.url);
  const answer = await ports.transport.send({
    ...{ method, url, headers, body, timeoutMs: leftMs, ...limits },
  });
  passage.ended(answer);
  if (auth?.scheme !== "oauth2" || answer.kind !== "response" || answer.status !== 401)
    return answer;
  // The token is refused, not what is asked for: another attempt comes with another one.
  ports.tokens.refused(start.tenant, auth, proof.token ?? "", ports.clock);
  return { kind: "network", detail: `the target "${id}" refused the token: status 401` };
}

/** What proves to the target who calls, or why there is nothing to prove it with. */
async function proofOf(
  tenant: string,
  auth: Target["auth"],
  timeoutMs: number,
  ports: SagaPorts,
): Promise<
  { readonly headers: Readonly<Record<string, string>>; readonly token?: string } | Answer
> {
  if (auth === undefined) return { headers: {} };
  if (auth.scheme !== "oauth2")
    return { headers: { [authHeaderName(auth)]: authHeaderValue(auth, ports.text) } };
  const answer = await ports.tokens.get(tenant, auth, timeoutMs, ports);
  if (answer.kind !== "token") return notSent(answer.detail);
  const { token } = answer;
  return { headers: { authorization: `Bearer ${token}` }, token };
}

function keyOfRequest(request: SagaRequest): string {
  const { start, step, call, epoch } = request;
  return keyOf(start.id, step.name, call.direction, epoch);
}

/** The step's own win over its target's, and none over the router's. */
function headersOf(
  request: SagaRequest,
  targetHeaders: Readonly<Record<string, string>>,
  timeoutMs: number,
  ports: SagaPorts,
): Map<string, string> {
  const { start, call, step, epoch, token, rendered } = request;
  const headers = new Map<string, string>([
    ...Object.entries(targetHeaders).map(lowered),
    ...Object.entries(rendered.headers).map(lowered),
    ["idempotency-key", keyOfRequest(request)],
    ["signalbox-saga", start.id],
    ["signalbox-step", step.name],
  ]);
  if (rendered.body !== null) headers.set("content-type", "application/json");
  const act = call.direction === "action" ? step.action : step.compensate;
  const callbackMs = act?.kind === "http" ? act.callbackMs : null;
  if (callbackMs !== null) {
    const expiresAtMs = ports.clock.nowMs() + timeoutMs + callbackMs;
    const { direction } = call;
    const address = { id: start.id, step: step.name, direction, epoch, token, expiresAtMs };
    headers.set("signalbox-callback", ports.callbacks.urlOf(address));
  }
  // What is undone can be looked up by the key that it was done with.
  if (call.direction === "undo") {
    headers.set("signalbox-action-key", keyOf(start.id, step.name, "action", epoch));
  }
  return headers;
}

const lowered = ([name, value]: [string, string]): readonly [string, string] => [
  name.toLowerCase(),
  value,
];

/** Standard Webhooks: made at each attempt, and written down nowhere. */
function signedHeaders(
  key: string,
  timestampSeconds: number,
  body: Uint8Array,
  { signingKeys }: Target,
  { crypto, text }: Pick<SagaPorts, "crypto" | "text">,
): Map<string, string> {
  const prefix = text.encode(signedPrefix(key, timestampSeconds));
  const live = signingKeys.filter((secret) => isLive(secret, timestampSeconds * 1_000));
  const signatures = live.map((secret) => signWhole(secret, prefix, body, crypto));
  return new Map([
    ["webhook-id", key],
    ["webhook-timestamp", `${timestampSeconds}`],
    ...(signatures.length === 0 ? [] : [["webhook-signature", signatures.join(" ")] as const]),
  ]);
}
