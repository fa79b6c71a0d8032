/** The ways out to targets, each with the caller's own timeout as the real one has it, watched at both ends. */
import type { Answer } from "../../src/core/deliver/outcome.ts";
import { ATTEMPT_TIMEOUT_MS_DEFAULT } from "../../src/core/limits.ts";
import type { AcceptPorts } from "../../src/flows/accept-event.ts";
import { publishEvent } from "../../src/flows/publish-event.ts";
import type { Bound } from "../../src/ports/bound.ts";
import type { Publisher } from "../../src/ports/publisher.ts";
import type { OutgoingRequest, Transport } from "../../src/ports/transport.ts";
import { bytesOfStream } from "../support/memory-archive.ts";
import { sendBatched } from "./batch-wire.ts";
import { carries, type Message } from "./cloud-event.ts";
import { type Invocation, wasDisturbed } from "./invocation.ts";
import { subscriptionOf } from "./names.ts";
import type { Reception } from "./receivers.ts";
import type { Stores } from "./stores.ts";
import type { Sent, WatchedAttempt } from "./watch-attempts.ts";

/** Its receiver did the work and said so. */
export const isDone = ({ reception }: WatchedAttempt): boolean => {
  const status = reception?.answer?.status ?? 0;
  return reception?.isProcessed === true && status >= 200 && status < 300;
};

/** One attempt, from the wire to the receiver and back. */
async function reach(
  { wire, scheduler, receivers, attempts }: Stores,
  invocation: Invocation,
  sent: Sent,
  timeoutMs: number,
  told: (answer: Answer) => Answer = (answer) => answer,
): Promise<Answer> {
  const { life } = invocation;
  const attempt = attempts.sending(invocation, sent);
  const timer = life.clock.timer(timeoutMs);

  function receive(): Promise<NonNullable<Reception["answer"]>> {
    const reception = receivers.receive(sent.address);
    attempt.reception = reception;
    const { promise, resolve } = Promise.withResolvers<NonNullable<Reception["answer"]>>();
    const { answer, afterMs } = reception;
    if (answer !== null) scheduler.after(afterMs, null, () => resolve(answer));
    return promise;
  }

  const detail = () => `${sent.event.slice(-6)} attempt ${sent.number} to ${sent.address}`;
  const answer: Answer = await Promise.race([
    wire
      .call(life, "http", "send", receive, detail)
      .then(told)
      .catch((error: Error) => ({ kind: "network", detail: error.message }) as const),
    timer.elapsed.then(() => ({ kind: "timeout" }) as const),
  ]);
  timer.cancel();
  attempt.heard = answer;
  attempt.answeredAtMs = scheduler.nowMs();
  return answer;
}

async function request(
  stores: Stores,
  invocation: Invocation,
  outgoing: OutgoingRequest,
): Promise<Answer> {
  const { url, headers, body, timeoutMs } = outgoing;
  const bytes = body instanceof Uint8Array ? body : await bytesOfStream(body.stream);
  if (stores.batchWatch.limitsOf(url) !== null)
    return sendBatched(stores, invocation, outgoing, bytes);
  const event = headers.get("signalbox-event") ?? "";
  const isSame = stores.acceptance.isRewritten(event) ? isSameJson : isEqual;
  const sent = {
    event,
    rule: headers.get("signalbox-rule") ?? "",
    deliveryId: headers.get("webhook-id") ?? "",
    number: Number(headers.get("signalbox-attempt")),
    address: url,
    isWhole: (own: Uint8Array | undefined) => own !== undefined && isSame(own, bytes),
  };
  return reach(stores, invocation, sent, timeoutMs);
}

export function wiredTransport(stores: Stores, invocation: Invocation): Transport {
  return { send: (outgoing) => request(stores, invocation, outgoing) };
}

/** Queues and services of the account. What is no request says only whether it was taken. */
export function wiredBound(stores: Stores, invocation: Invocation): Bound {
  async function put(address: string, message: string, timeoutMs: number): Promise<Answer> {
    const said = JSON.parse(message) as Message;
    const sent = {
      event: said.signalboxevent,
      rule: said.signalboxrule,
      deliveryId: said.signalboxdelivery,
      number: said.signalboxattempt,
      address,
      isWhole: (own: Uint8Array | undefined) => own !== undefined && carries(said, own),
    };
    return reach(stores, invocation, sent, timeoutMs, (answer) => {
      if (answer.kind !== "response") return answer;
      if (answer.status >= 300) return { kind: "network", detail: `refused: ${answer.status}` };
      return { kind: "response", status: 200, retryAfterMs: null, body: "" };
    });
  }
  return {
    ...{ queues: [], services: [] },
    enqueue: put,
    request: (_, outgoing) => request(stores, invocation, outgoing),
    call: (service, _, event, timeoutMs) => put(service, event, timeoutMs),
  };
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** What was published of an event has its data, written anew. */
const isSameJson = (a: Uint8Array, b: Uint8Array): boolean =>
  JSON.stringify(JSON.parse(Buffer.from(a).toString())) ===
  JSON.stringify(JSON.parse(Buffer.from(b).toString()));

/** What targets make new events of. Answered once the event is durable, it is in a store that may be relied on. */
export function wiredPublisher(
  stores: Stores,
  invocation: Invocation,
  accept: AcceptPorts,
): Publisher {
  const { acceptance, attempts, ledger, scheduler, violations } = stores;
  return {
    async publish(published) {
      const { key, data, hops } = published;
      const from = acceptance.deliveryOf(key);
      if (from === undefined) {
        violations.add(`what is published comes of no delivery, ${key}`);
        return { kind: "refused", detail: "of nobody" };
      }
      const { event, rule, target, tenant } = from;
      const row = ledger.deliveries.get(`${event} ${subscriptionOf(rule, target)}`);
      const attempt = attempts.sending(invocation, {
        ...{ event, rule, deliveryId: key, number: (row?.attempts ?? 0) + 1 },
        address: `https://${target}.example.com/${tenant}`,
        isWhole: (own) => own !== undefined && isSameJson(own, Buffer.from(data)),
      });
      if (hops !== from.hops + 1) violations.add(`${event} is published as ${hops} away`, event);
      attempt.heard = { kind: "timeout" }; // unless it is answered in time
      const answer = await publishEvent(published, accept).catch((error: unknown) => {
        const isInTime = scheduler.nowMs() < attempt.sentAtMs + ATTEMPT_TIMEOUT_MS_DEFAULT;
        attempt.isVoid = isInTime && !wasDisturbed(invocation, attempt.sentAtMs);
        throw error;
      });
      attempt.heard = answer;
      attempt.answeredAtMs = scheduler.nowMs();
      const isTaken = answer.kind === "response" && answer.status === 200;
      const isDurable = acceptance.publishedOf(key)?.isDurable === true;
      if (isTaken && !isDurable) {
        violations.add(`${event} counts as published before that is durable`, event);
      }
      if (answer.kind === "response") {
        attempt.reception = { isProcessed: isTaken, answer, afterMs: 0 };
      }
      return answer;
    },
  };
}
