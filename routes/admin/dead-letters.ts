/** What a person does with a delivery that did not arrive: gives it up, or sends its event anew. */
import * as z from "zod";
import { decodeBase64 } from "../../src/core/bytes.ts";
import { isJsonObject, type Json, stringifyJson } from "../../src/core/json.ts";
import type { DeliveryState } from "../../src/core/settle.ts";
import { resend } from "../../src/flows/resend.ts";
import type { StoredDelivery } from "../../src/ports/history.ts";
import { requireTenant } from "./change.ts";
import { Delivery, deliveryView } from "./deliveries.ts";
import { type Call, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { rangeOf } from "./page.ts";
import { DiscardAllBody, DiscardBody, ResendBody } from "./past-schemas.ts";
import { Accepted, Count } from "./schemas.ts";

const TENANT = "/admin/tenants/{tenant}";

/** States in which a person may give a delivery up; what is under way is not theirs to stop. */
const DISCARDABLE: readonly DeliveryState[] = ["dead", "parked", "retrying"];

const discarded = (reason: string): string => `discarded: ${reason}`;

async function deliveryOf({ stores, params }: Call<unknown, unknown>): Promise<StoredDelivery> {
  const found = await stores.history.delivery(params.tenant ?? "", params.delivery ?? "");
  if (found === null) throw notFound("delivery");
  return found;
}

/** The bytes that are to be sent instead, numbers exact; null to keep the original. */
function bodyOf(
  sent: Json,
  base64: string | undefined,
  encode: (text: string) => Uint8Array,
): Uint8Array | null {
  if (base64 !== undefined) return decodeBase64(base64);
  if (!isJsonObject(sent) || !Object.hasOwn(sent, "data")) return null;
  return encode(stringifyJson(sent.data ?? null));
}

export const deadLetterOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: `${TENANT}/deliveries/{delivery}/discard`,
    recorded: "with-change",
    summary: "Gives up a dead, parked or retrying delivery, with a reason.",
    body: DiscardBody,
    responses: {
      200: "The delivery, cancelled.",
      404: "No such delivery.",
      409: "Its state does not allow it.",
    },
    answer: Delivery,
    async handle(call) {
      const { stores, params, body } = call;
      const delivery = await deliveryOf(call);
      const why = discarded(body.reason);
      if (!(await stores.history.cancel(params.tenant ?? "", delivery.id, DISCARDABLE, why))) {
        const { state } = await deliveryOf(call);
        const detail = `It is ${state}; only dead, parked and retrying ones can be discarded.`;
        throw new Refusal({ slug: "conflict", detail });
      }
      return { status: 200, body: deliveryView(await deliveryOf(call)) };
    },
  }),
  operation({
    method: "post",
    path: `${TENANT}/deliveries/{delivery}/resend`,
    summary:
      "Sends a delivery's event as a new one to the same target, as it came or with another body (in a request of at most 1 MB); the old delivery ends.",
    body: ResendBody,
    responses: {
      202: "Accepted and durable; the same call again is the same event.",
      404: "No such delivery.",
      409: "It is on its way, or its event's bytes are no longer kept.",
      503: "No store could take the event.",
    },
    answer: Accepted,
    async handle(call) {
      const { app, stores, params, body, sent } = call;
      const delivery = await deliveryOf(call);
      const { text } = app.accept;
      const edited = bodyOf(sent, body.base64, text.encode);
      const ownType = isJsonObject(sent) && Object.hasOwn(sent, "data") ? "application/json" : null;
      const contentType = body.contentType ?? ownType;
      const edit = { body: edited, contentType, reason: body.reason };
      const ports = { ...app.accept, history: stores.history };
      const resent = await resend(params.tenant ?? "", delivery, edit, ports);
      if (resent.kind === "refused") throw new Refusal(resent.problem);
      return { status: 202, body: { ...resent.event } };
    },
  }),
  operation({
    method: "post",
    path: `${TENANT}/dead-letters/discard`,
    recorded: "with-change",
    summary: "Gives up dead letters, all or those of a target, a rule or a time, with a reason.",
    body: DiscardAllBody,
    responses: { 200: "How many were given up.", 404: "No such tenant." },
    answer: z.object({ discarded: Count }),
    async handle({ stores, params, body }) {
      const tenant = params.tenant ?? "";
      await requireTenant(stores.config, tenant);
      const { target, rule, reason } = body;
      const filter = { ...rangeOf(body), target, rule };
      const count = await stores.history.cancelAll(tenant, filter, discarded(reason));
      return { status: 200, body: { discarded: count } };
    },
  }),
];
