/** A batch on its way: watched delivery by delivery, and received as a whole, in part, or not at all. */
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { OutgoingRequest } from "../../src/ports/transport.ts";
import { carries, type Message } from "./cloud-event.ts";
import type { Invocation } from "./invocation.ts";
import { subscriptionOf } from "./names.ts";
import type { Reception } from "./receivers.ts";
import type { Stores } from "./stores.ts";
import type { Sent } from "./watch-attempts.ts";

type Element = Message & { readonly id: string };
type Heard = NonNullable<Reception["answer"]>;

/** Shares of the batches that are taken in part, and of the deliveries that fail in such a one. */
const IN_PART = 0.4;
const FAILING = 0.4;

export async function sendBatched(
  stores: Stores,
  invocation: Invocation,
  { url, timeoutMs }: OutgoingRequest,
  body: Uint8Array,
): Promise<Answer> {
  const { wire, scheduler, receivers, attempts, batchWatch, violations } = stores;
  const { life } = invocation;
  const elements = JSON.parse(Buffer.from(body).toString()) as Element[];
  const target = url.slice("https://".length).split(".")[0] ?? "";
  const sent = elements.map((element): Sent => {
    const { signalboxevent: event, signalboxrule: rule } = element;
    return {
      ...{ event, rule, deliveryId: element.signalboxdelivery, number: element.signalboxattempt },
      address: url,
      isWhole: (own) => own !== undefined && carries(element, own),
    };
  });
  const keys = sent.map(({ event, rule }) => `${event} ${subscriptionOf(rule, target)}`);
  if (new Set(keys).size < keys.length) violations.add(`a batch to ${url} has something twice`);
  batchWatch.sending(
    invocation,
    new Map(sent.map((each, at) => [keys[at] ?? "", each])),
    body.length,
  );
  const made = sent.map((each) => attempts.sending(invocation, each));
  const timer = life.clock.timer(timeoutMs);

  function receive(): Promise<Heard> {
    const { isProcessed, answer, afterMs } = receivers.receive(url);
    const isTaken = isProcessed && answer !== null && answer.status < 300;
    const said =
      isTaken && !wire.isCalm() ? inPart(elements, stores) : { failed: new Set(), body: "" };
    const heard = answer === null || said.body === "" ? answer : { ...answer, body: said.body };
    for (const [at, attempt] of made.entries()) {
      const isNamed = said.failed.has(elements[at]);
      attempt.reception = { isProcessed: isProcessed && !isNamed, answer: heard, afterMs };
    }
    const { promise, resolve } = Promise.withResolvers<Heard>();
    if (heard !== null) scheduler.after(afterMs, null, () => resolve(heard));
    return promise;
  }

  const detail = () => `${sent.map(({ event }) => event.slice(-6)).join(" ")} to ${url}`;
  const answer: Answer = await Promise.race([
    wire
      .call(life, "http", "sendBatch", receive, detail)
      .catch((error: Error) => ({ kind: "network", detail: error.message }) as const),
    timer.elapsed.then(() => ({ kind: "timeout" }) as const),
  ]);
  timer.cancel();
  for (const attempt of made) {
    attempt.heard = answer;
    attempt.answeredAtMs = scheduler.nowMs();
  }
  return answer;
}

/** Which have failed, and how that is said: by delivery or by event, with a reason or without; strangers too. */
function inPart(
  elements: readonly Element[],
  { chance }: Stores,
): { readonly failed: ReadonlySet<Element | undefined>; readonly body: string } {
  const { aside } = chance;
  if (!aside.happens(IN_PART)) return { failed: new Set(), body: "" };
  const named = elements
    .filter(() => aside.happens(FAILING))
    .map(({ id, signalboxdelivery }) => (aside.happens(0.7) ? signalboxdelivery : id));
  const names = new Set(named);
  const strangers = aside.happens(0.1) ? ["nobody's"] : [];
  const failed = [...named, ...strangers].map((id) =>
    aside.happens(0.5) ? id : { id, reason: "not now" },
  );
  return {
    // Who is named by its event fails with all deliveries of that event.
    failed: new Set(
      elements.filter(({ id, signalboxdelivery }) => names.has(id) || names.has(signalboxdelivery)),
    ),
    body: JSON.stringify({ failed }),
  };
}
