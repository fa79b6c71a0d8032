/** Dead letters made for a test: webhooks that a receiver refused, which is well from then on. */
import { inTurn, receiverHere, status } from "./answers.ts";
import type { Answer, Receiver } from "./receiver.ts";
import type { Router } from "./router.ts";
import { type Delivery, prepareTenant, type TestTenant } from "./tenant.ts";

export interface DeadLetters {
  readonly tenant: TestTenant;
  readonly receiver: Receiver;
  readonly letters: readonly Delivery[];
}

/** A tenant with a target, both of this name, whose first `count` webhooks are dead letters. */
export async function deadLetters(
  router: Pick<Router, "admin" | "send">,
  name: string,
  count: number,
): Promise<DeadLetters> {
  const refusals = Array.from({ length: count }, (): Answer => status(500));
  const receiver = await receiverHere(inTurn(...refusals, status(200)));
  const target = { url: receiver.url, retry: { delaysSeconds: [] } };
  const tenant = await prepareTenant(router, name, { [name]: target });
  const sent = await Promise.all(Array.from({ length: count }, () => tenant.send(name)));
  const letters = await Promise.all(sent.map(({ id }) => tenant.delivery(id, name, "dead")));
  return { tenant, receiver, letters };
}
