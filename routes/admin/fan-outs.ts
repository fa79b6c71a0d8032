/** Fan-outs: lists whose elements are events of their own, watched, paused, capped, cancelled and redriven. */
import * as z from "zod";
import { elementRange } from "../../src/core/fan-out/element.ts";
import { FANOUT_PER_SECOND_MAX } from "../../src/core/fan-out/limits.ts";
import { timeOrderedId } from "../../src/core/ids.ts";
import type { Json } from "../../src/core/json.ts";
import { endCancelled } from "../../src/flows/fan-out-page.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { setOffFanOut } from "../../src/flows/wake.ts";
import { FAN_OUT_STATES, type FanOut, type FanOutState } from "../../src/ports/fan-outs.ts";
import { Detail, detailView, Summary, summaryView } from "./fan-out-view.ts";
import { JobAnswer, jobView } from "./jobs.ts";
import { notFound, type Operation, operation, Refusal } from "./operation.ts";
import { idPageOf, PageQuery, pageOf } from "./page.ts";
import { type Asked, pausing, stopping } from "./pausing.ts";

const PATH = "/admin/tenants/{tenant}/fan-outs";

const PerSecond = z.number().min(0.1).max(FANOUT_PER_SECOND_MAX);
const CapBody = z.strictObject({
  perSecond: PerSecond.nullable().describe("Elements; null lifts the cap."),
});
const RetryBody = z.strictObject({ perSecond: PerSecond.optional() });

async function fanOutOf({ stores, params }: Asked): Promise<FanOut> {
  const at = { tenant: params.tenant ?? "", id: params.fanOut ?? "" };
  const fanOut = await stores.fanOuts.fanOut(at);
  if (fanOut === null) throw notFound("fan-out");
  return fanOut;
}

async function detailOf(call: Asked): Promise<Json> {
  const fanOut = await fanOutOf(call);
  return detailView(fanOut, await call.stores.fanOuts.states(fanOut)) as Json;
}

/** Moves a fan-out to another state; refused when its own does not allow that. */
async function move(
  call: Asked,
  from: readonly FanOutState[],
  to: FanOutState,
  reason: string | null = null,
): Promise<FanOut> {
  const fanOut = await fanOutOf(call);
  if (await call.stores.fanOuts.move(fanOut, from, to, reason)) return fanOut;
  const { state } = await fanOutOf(call);
  throw new Refusal({ slug: "conflict", detail: `It is ${state}.` });
}

const FOUND = { 200: "The fan-out as it is now.", 404: "No such fan-out." };

export const fanOutOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: PATH,
    summary: "Lists a tenant's fan-outs, those of the newest events first.",
    query: PageQuery,
    responses: { 200: "A page of fan-outs.", 404: "No such tenant." },
    answer: pageOf(Summary),
    handle({ stores, params, query }) {
      const tenant = params.tenant ?? "";
      const read = (after: string | null, count: number) =>
        stores.fanOuts.fanOuts(tenant, after, count);
      return idPageOf(tenant, query, stores.config, read, summaryView);
    },
  }),
  operation({
    method: "get",
    path: `${PATH}/{fanOut}`,
    summary: "Reads a fan-out: how many elements are on their way, and what became of them.",
    responses: FOUND,
    answer: Detail,
    handle: async (call) => ({ status: 200, body: await detailOf(call) }),
  }),
  ...pausing({
    ...{
      name: "fan-out",
      path: `${PATH}/{fanOut}`,
      answer: Detail,
      detailOf,
      move,
      setOff: setOffFanOut,
    },
    pauses: "Stops a running fan-out after the elements that are on their way; it can be resumed.",
  }),
  operation({
    method: "post",
    path: `${PATH}/{fanOut}/cancel`,
    recorded: "with-change",
    summary:
      "Ends a fan-out and gives up those of its deliveries that are still owed, in queues as well.",
    responses: stopping("fan-out"),
    answer: Detail,
    async handle(call) {
      // Also a done one, and one that was cancelled by a call that did not come to its end.
      await move(call, FAN_OUT_STATES, "cancelled", "cancelled by an operator");
      await endCancelled(await fanOutOf(call), call.stores.fanOuts, call.app.deliver);
      return { status: 200, body: await detailOf(call) };
    },
  }),
  operation({
    method: "post",
    path: `${PATH}/{fanOut}/cap`,
    recorded: "with-change",
    summary: "Sets how many elements a second a fan-out sends from its next page on.",
    body: CapBody,
    responses: FOUND,
    answer: Detail,
    async handle(call) {
      const fanOut = await fanOutOf(call);
      await call.stores.fanOuts.cap(fanOut, call.body.perSecond);
      return { status: 200, body: await detailOf(call) };
    },
  }),
  operation({
    method: "post",
    path: `${PATH}/{fanOut}/retry-failed`,
    recorded: "with-change",
    summary: "Sends the dead letters of a fan-out again and nothing else, at a pace if wished.",
    body: RetryBody,
    bodyOptional: true,
    responses: { 202: "A job with its progress; `location` names it.", 404: "No such fan-out." },
    answer: JobAnswer,
    async handle(call) {
      const { app, stores, body, defer } = call;
      const { clock, random } = app.deliver;
      const { tenant, id, createdAtMs, total } = await fanOutOf(call);
      const job = timeOrderedId("job_", clock.nowMs(), random.bytes(10));
      const selection = {
        ...{ fromMs: createdAtMs, toMs: createdAtMs + 1 },
        events: elementRange(id, 0, total, app.deliver),
      };
      const begun = await stores.history.redriveAll(tenant, job, selection, body.perSecond ?? null);
      defer(sweep("overdue", app.deliver));
      const location = `/admin/tenants/${tenant}/jobs/${job}`;
      return { status: 202, location, body: jobView(begun) };
    },
  }),
];
