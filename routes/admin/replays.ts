/** Replays: a slice of the past once more, by the present rules, at a pace, until it is done or stopped. */
import * as z from "zod";
import { REPLAY_PER_SECOND_DEFAULT } from "../../src/core/archive-limits.ts";
import { timeOrderedId } from "../../src/core/ids.ts";
import { isJsonObject, type Json, parseJsonDocument } from "../../src/core/json.ts";
import type { Fault } from "../../src/core/problem.ts";
import type { ReplayQuery } from "../../src/core/replay.ts";
import { CANCELLED, countReplay } from "../../src/flows/replay-slice.ts";
import { setOffReplay } from "../../src/flows/wake.ts";
import { REPLAY_STATES, type Replay, type ReplayState } from "../../src/ports/replays.ts";
import { isoOrNull, requireTenant } from "./change.ts";
import { notFound, type Operation, operation, Refusal } from "./operation.ts";
import { idPageOf, PageQuery, pageOf } from "./page.ts";
import { ReplayBody } from "./past-schemas.ts";
import { type Asked, pausing, stopping } from "./pausing.ts";
import { Counted, Detail, Summary, summaryOf } from "./replay-view.ts";
import { patternFaults, sentMember } from "./rules.ts";

const PATH = "/admin/tenants/{tenant}/replays";

async function replayOf({ stores, params }: Asked): Promise<Replay> {
  const at = { tenant: params.tenant ?? "", id: params.replay ?? "" };
  const replay = await stores.replays.replay(at);
  if (replay === null) throw notFound("replay");
  return replay;
}

async function detailOf(call: Asked): Promise<Json> {
  const replay = await replayOf(call);
  return { ...summaryOf(replay), states: await call.stores.replays.states(replay) } as Json;
}

/** A name that is asked for and stands for nothing that sends. */
async function nameFaults(sent: Json, { stores, params }: Asked): Promise<Fault[]> {
  const faults = await Promise.all(
    (["rule", "target"] as const).map(async (kind): Promise<Fault[]> => {
      const id = sentMember(sent, kind);
      if (typeof id !== "string") return [];
      const stored = await stores.config.resource(params.tenant ?? "", kind, id);
      const read = stored === null ? null : parseJsonDocument(stored.doc);
      const doc = read?.ok && isJsonObject(read.value) ? read.value : null;
      if (doc === null) {
        return [
          { pointer: `/${kind}`, code: `unknown-${kind}`, detail: `There is no ${kind} "${id}".` },
        ];
      }
      if (doc.enabled !== false && doc.mode !== "shadow") return [];
      const detail = `The rule "${id}" delivers nothing now: it is disabled, or a shadow.`;
      return [{ pointer: "/rule", code: "rule-not-live", detail }];
    }),
  );
  return faults.flat();
}

/** Moves a replay to another state; refused when its own does not allow that. */
async function move(call: Asked, from: readonly ReplayState[], to: ReplayState): Promise<Replay> {
  const replay = await replayOf(call);
  if (await call.stores.replays.move(replay, from, to)) return replay;
  const { state } = await replayOf(call);
  throw new Refusal({ slug: "conflict", detail: `It is ${state}.` });
}

export const replayOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: PATH,
    changes: ({ dryRun }) => dryRun !== true,
    recorded: "with-change",
    summary:
      "Sends archived events of a slice of time once more, by the present rules and below live traffic; or only counts them.",
    body: ReplayBody,
    responses: {
      200: "What it would send (`dryRun`).",
      202: "The replay with its progress.",
      404: "No such tenant.",
      422: "The pattern cannot be parsed, or a name is none; every fault is named.",
    },
    answer: z.union([Detail, Counted]),
    faults: async (sent, call) => {
      await requireTenant(call.stores.config, call.params.tenant ?? "");
      const untilMs = Date.parse(String(sentMember(sent, "to")));
      const isFuture = untilMs > call.app.deliver.clock.nowMs();
      const detail = "What has not come yet cannot be sent again.";
      return [
        ...(sentMember(sent, "pattern") === null ? [] : patternFaults(sent)),
        ...(await nameFaults(sent, call)),
        ...(isFuture ? [{ pointer: "/to", code: "in-the-future", detail }] : []),
      ];
    },
    async handle({ app, stores, params, body, sent }) {
      const { clock, random, directory } = app.deliver;
      const tenant = params.tenant ?? "";
      const query: ReplayQuery = {
        fromMs: Date.parse(body.from),
        untilMs: Date.parse(body.to),
        pattern: sentMember(sent, "pattern"),
        source: body.source ?? null,
        type: body.type ?? null,
        rule: body.rule ?? null,
        target: body.target ?? null,
        perSecond: body.perSecond ?? REPLAY_PER_SECOND_DEFAULT,
        reason: body.reason,
      };
      if (body.dryRun === true) {
        const [known, stored] = await Promise.all([
          directory.refresh(tenant),
          stores.config.tenant(tenant),
        ]);
        if (known === null || stored === null) throw notFound("tenant");
        const ports = { ...app.deliver, listing: stores.archive };
        const count = await countReplay(known, stored.createdAtMs, query, ports);
        const { reachedAtMs, ...counts } = count;
        const seconds = Math.ceil(counts.deliveries / query.perSecond);
        const reachedAt = isoOrNull(reachedAtMs);
        return { status: 200, body: { dryRun: true, ...counts, reachedAt, seconds } };
      }
      const id = timeOrderedId("rpl_", clock.nowMs(), random.bytes(10));
      const at = { tenant, id };
      await stores.replays.create(at, query);
      await setOffReplay(at, app.deliver);
      const location = `${PATH.replace("{tenant}", tenant)}/${id}`;
      return {
        status: 202,
        location,
        body: await detailOf({ stores, params: { ...params, replay: id } }),
      };
    },
  }),
  operation({
    method: "get",
    path: PATH,
    summary: "Lists a tenant's replays, newest first.",
    query: PageQuery,
    responses: { 200: "A page of replays.", 404: "No such tenant." },
    answer: pageOf(Summary),
    handle({ stores, params, query }) {
      const tenant = params.tenant ?? "";
      const read = (after: string | null, count: number) =>
        stores.replays.replays(tenant, after, count);
      return idPageOf(tenant, query, stores.config, read, summaryOf);
    },
  }),
  operation({
    method: "get",
    path: `${PATH}/{replay}`,
    summary: "Reads a replay: how far it is, and what became of its deliveries.",
    responses: { 200: "The replay.", 404: "No such replay." },
    answer: Detail,
    handle: async (call) => ({ status: 200, body: await detailOf(call) }),
  }),
  ...pausing({
    ...{
      name: "replay",
      path: `${PATH}/{replay}`,
      answer: Detail,
      detailOf,
      move,
      setOff: setOffReplay,
    },
    pauses: "Stops a running replay after what it has put on its way; it can be resumed.",
  }),
  operation({
    method: "post",
    path: `${PATH}/{replay}/cancel`,
    recorded: "with-change",
    summary: "Ends a replay and gives up those of its deliveries that are still owed.",
    responses: stopping("replay"),
    answer: Detail,
    async handle(call) {
      // Also a done one, and one that was cancelled by a call that did not come to its end.
      const replay = await move(call, REPLAY_STATES, "cancelled");
      // Its object does the same until no consumer has any of it in hand, whatever comes of this call.
      await setOffReplay({ tenant: replay.tenant, id: replay.id }, call.app.deliver);
      await call.stores.replays.giveUp(replay, CANCELLED);
      return { status: 200, body: await detailOf(call) };
    },
  }),
];
