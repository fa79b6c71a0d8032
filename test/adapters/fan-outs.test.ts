/** Fan-outs as D1 and the memory of the simulation keep them: begun once, counted by their elements' ids alone. */
import { describe, expect, it } from "vitest";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { elementId, elementRange } from "../../src/core/fan-out/element.ts";
import { FANOUT_KEPT_MS } from "../../src/core/fan-out/limits.ts";
import type { FirstClaim } from "../../src/ports/claim.ts";
import type { FanOut, NewFanOut } from "../../src/ports/fan-outs.ts";
import {
  claim,
  costOf,
  dueOf,
  firstOf,
  freshTenant,
  freshToken,
  meter,
  resultOf,
  retrying,
  SUBJECTS,
  session,
  settledAll,
  settledOnce,
} from "./ledgers.ts";
import { QUERY, replayedOf, sliceOf } from "./replayed.ts";

const TOOLS = { crypto: platformCrypto, text: platformText };

describe.each(SUBJECTS)(
  "fan-outs in $name",
  ({ name, ledger, fanOuts, ageFanOut, replays, ensure, deletions, deleteTenant, prepare }) => {
    const newOne = (tenant: string, more: Partial<NewFanOut> = {}): NewFanOut => ({
      ...{ tenant, id: `fan_${tenant}`, event: "evt_list", rule: "blast", priority: "bulk" },
      subscriptions: [{ rule: "blast", target: "sink", priority: "bulk" }],
      ...{ total: 6, offset: 15, perSecond: 2.5, revision: Number.MAX_SAFE_INTEGER, ...more },
    });

    async function begun(more: Partial<NewFanOut> = {}): Promise<FanOut> {
      const tenant = freshTenant();
      await ensure([tenant]);
      const made = newOne(tenant, more);
      await fanOuts.create(made);
      const fanOut = await fanOuts.fanOut(made);
      if (fanOut === null) throw new Error("there is none");
      return fanOut;
    }

    const elementOf = ({ tenant, id, createdAtMs }: FanOut, index: number): FirstClaim =>
      firstOf({ tenant, id: elementId(id, index, TOOLS), receivedAtMs: createdAtMs });

    it("begin once, with what was found, and for no tenant that is gone", async () => {
      const fanOut = await begun();
      expect(fanOut).toMatchObject({
        ...{ state: "running", rev: 0, sent: 0, total: 6, offset: 15, perSecond: 2.5 },
        ...{ event: "evt_list", rule: "blast", priority: "bulk", reason: null },
        subscriptions: [{ rule: "blast", target: "sink", priority: "bulk" }],
      });
      await fanOuts.advance(fanOut, 0, { sent: 2, offset: 20 });
      await fanOuts.create(newOne(fanOut.tenant, { total: 9 }));
      expect(await fanOuts.fanOut(fanOut)).toMatchObject({ sent: 2, total: 6 });
      for (const gone of [newOne("nobody"), newOne(fanOut.tenant, { id: "fan_2", revision: 0 })]) {
        await fanOuts.create(gone);
        expect(await fanOuts.fanOut(gone)).toBeNull();
      }
      expect(await fanOuts.fanOut({ ...fanOut, tenant: "acme" })).toBeNull();
    });

    it("of an empty list are done", async () => {
      expect(await begun({ total: 0 })).toMatchObject({ state: "done", sent: 0 });
    });

    it("write a page down once, whatever was commanded meanwhile, and end with the last", async () => {
      const fanOut = await begun();
      await fanOuts.move(fanOut, ["running"], "paused", null);
      expect(await fanOuts.advance(fanOut, 0, { sent: 2, offset: 20 })).toBe(true);
      expect(await fanOuts.advance(fanOut, 0, { sent: 2, offset: 20 })).toBe(false);
      expect(await fanOuts.fanOut(fanOut)).toMatchObject({ state: "paused", sent: 2, rev: 1 });
      expect(await fanOuts.advance(fanOut, 1, { sent: 6, offset: 40 })).toBe(true);
      expect(await fanOuts.fanOut(fanOut)).toMatchObject({ state: "done", sent: 6, offset: 40 });
      const cancelled = await begun();
      await fanOuts.move(cancelled, ["running"], "cancelled", "enough");
      await fanOuts.advance(cancelled, 0, { sent: 6, offset: 40 });
      expect(await fanOuts.fanOut(cancelled)).toMatchObject({
        ...{ state: "cancelled", reason: "enough", sent: 6 },
      });
    });

    it("are moved from the states that allow it, and capped", async () => {
      const fanOut = await begun();
      expect(await fanOuts.move(fanOut, ["paused"], "running", null)).toBe(false);
      expect(await fanOuts.cap(fanOut, null)).toBe(true);
      expect(await fanOuts.fanOut(fanOut)).toMatchObject({ state: "running", perSecond: null });
      expect(await fanOuts.cap({ ...fanOut, id: "fan_none" }, 1)).toBe(false);
    });

    it("count their own elements, all or those of a range, and no other event's", async () => {
      const fanOut = await begun();
      await settledOnce(ledger, {}, elementOf(fanOut, 0));
      await settledOnce(ledger, retrying(), elementOf(fanOut, 2));
      await settledOnce(ledger, { state: "dead" }, elementOf(fanOut, 5));
      const beside = { tenant: fanOut.tenant, receivedAtMs: fanOut.createdAtMs };
      await settledOnce(ledger, {}, firstOf(beside));
      expect(await fanOuts.states(fanOut)).toEqual({ delivered: 1, retrying: 1, dead: 1 });
      expect(await fanOuts.states(fanOut, 1, 5)).toEqual({ retrying: 1 });
      expect(await fanOuts.states(await begun())).toEqual({});
    });

    it("know where the bytes of their event rest, once the ledger does", async () => {
      const fanOut = await begun();
      expect(await fanOuts.place(fanOut)).toBeNull();
      const list = firstOf({ tenant: fanOut.tenant });
      await settledOnce(ledger, {}, list);
      const of = { ...fanOut, event: list.id };
      expect(await fanOuts.place(of)).toEqual(list.pointer);
      expect(await fanOuts.place({ ...of, tenant: "acme" })).toBeNull();
    });

    it("give up what is owed of them, and leave what is delivered", async () => {
      const fanOut = await begun();
      await settledOnce(ledger, {}, elementOf(fanOut, 0));
      await settledOnce(ledger, retrying(), elementOf(fanOut, 1));
      expect(await fanOuts.giveUp(fanOut, "enough")).toBe(1);
      expect(await fanOuts.giveUp(fanOut, "enough")).toBe(0);
      expect(await fanOuts.states(fanOut)).toEqual({ delivered: 1, cancelled: 1 });
      expect(await dueOf(ledger, fanOut.tenant, 600_000)).toEqual([]);
    });

    it("leave alone what a replay has made of their elements", async () => {
      const fanOut = await begun();
      const element = elementOf(fanOut, 0);
      await settledOnce(ledger, {}, element);
      const at = { tenant: fanOut.tenant, id: `rpl_${fanOut.tenant}` };
      await replays.create(at, QUERY);
      expect(await replays.advance(at, 0, sliceOf([replayedOf(element)]))).toHaveLength(1);
      expect(await fanOuts.states(fanOut)).toEqual({ delivered: 1 });
      expect(await fanOuts.giveUp(fanOut, "enough")).toBe(0);
      expect(await replays.states(at)).toEqual({ pending: 1 });
    });

    it("that are cancelled are told with a claim, and no others", async () => {
      const [running, cancelled] = [await begun(), await begun()];
      await fanOuts.move(cancelled, ["running"], "cancelled", "enough");
      const asked = [running, cancelled].map(({ tenant, id }) => ({ tenant, id }));
      const firsts = [elementOf(cancelled, 0)];
      const answer = await claim(ledger, freshToken(), { firsts, fanOuts: asked });
      expect([...answer.cancelledFanOuts]).toEqual([cancelled.id]);
      expect(answer.firsts.size).toBe(1);
    });

    it("are listed newest first, a tenant's own alone", async () => {
      const { tenant } = await begun();
      for (const id of ["fan_1", "fan_3", "fan_2"]) await fanOuts.create(newOne(tenant, { id }));
      const page = await fanOuts.fanOuts(tenant, "fan_9", 2);
      expect(page.items.map(({ id }) => id)).toEqual(["fan_3", "fan_2"]);
      const rest = await fanOuts.fanOuts(tenant, page.after, 2);
      expect(rest).toMatchObject({ items: [{ id: "fan_1" }], after: null });
      expect((await fanOuts.fanOuts(freshTenant(), null, 2)).items).toEqual([]);
    });

    it("that have just moved are not overdue", async () => {
      const { id } = await begun();
      expect((await fanOuts.overdue(1_000)).map((each) => each.id)).not.toContain(id);
    });

    it("that have ended are forgotten 42 days after they began, the oldest first, and no others", async () => {
      const old = FANOUT_KEPT_MS + 1;
      const made = {
        oldest: await begun({ total: 0 }),
        cancelled: await begun(),
        failed: await begun(),
        young: await begun({ total: 0 }),
        running: await begun(),
        paused: await begun(),
      };
      await fanOuts.move(made.cancelled, ["running"], "cancelled", "enough");
      await fanOuts.move(made.failed, ["running"], "failed", "too late");
      await fanOuts.move(made.paused, ["running"], "paused", null);
      for (const [each, fanOut] of Object.entries(made)) {
        const ageMs = { oldest: old + 60_000, young: FANOUT_KEPT_MS - 60_000 }[each] ?? old;
        await ageFanOut(fanOut, ageMs);
      }
      const kept = async () => {
        const rows = await Promise.all(Object.values(made).map((each) => fanOuts.fanOut(each)));
        return Object.keys(made).filter((_, at) => rows[at] !== null);
      };
      expect(await fanOuts.forget(1)).toBe(1);
      expect(await kept()).toEqual(["cancelled", "failed", "young", "running", "paused"]);
      expect(await fanOuts.forget(100)).toBe(2);
      expect(await kept()).toEqual(["young", "running", "paused"]);
      expect(await fanOuts.forget(100)).toBe(0);
    });

    if (name !== "D1") return;
    it("have their dead letters redriven, and no other's of the same moment", async () => {
      const fanOut = await begun();
      const { tenant, createdAtMs: fromMs } = fanOut;
      await settledOnce(ledger, {}, elementOf(fanOut, 0));
      await settledOnce(ledger, { state: "dead" }, elementOf(fanOut, 1));
      await settledOnce(ledger, { state: "dead" }, elementOf(fanOut, 2));
      const other = firstOf({ tenant, receivedAtMs: fromMs });
      await settledOnce(ledger, { state: "dead" }, other);
      const events = elementRange(fanOut.id, 0, fanOut.total, TOOLS);
      const history = createHistory(session);
      const filter = { fromMs, toMs: fromMs + 1, events };
      const job = await history.redriveAll(tenant, `job_${tenant}`, filter, null);
      expect(job).toMatchObject({ total: 2, states: { pending: 2 } });
      expect(await fanOuts.states(fanOut)).toEqual({ delivered: 1, pending: 2 });
      const due = (await dueOf(ledger, tenant)).map(({ event }) => event);
      expect(due).toEqual([1, 2].map((index) => elementId(fanOut.id, index, TOOLS)));
    });

    it("cost two rows to begin and two a page, and an element what any event costs", async () => {
      const tenant = freshTenant();
      await ensure([tenant]);
      const made = newOne(tenant);
      expect(await costOf(() => fanOuts.create(made))).toEqual({ rows: 2, trips: 1 });
      const fanOut = await fanOuts.fanOut(made);
      if (fanOut === null) throw new Error("there is none");
      const page = { sent: 2, offset: 20 };
      const paging = await costOf(() => fanOuts.advance(fanOut, 0, page));
      // Within the millisecond in which it began, its place in the index stays.
      expect([1, 2]).toContain(paging.rows);
      expect(paging.trips).toBe(1);
      const last = await costOf(() => fanOuts.advance(fanOut, 1, { sent: 6, offset: 40 }));
      expect(last).toEqual({ rows: 2, trips: 1 });
      const token = freshToken();
      const firsts = [elementOf(fanOut, 0), elementOf(fanOut, 1)];
      const settling = async () => {
        await claim(ledger, token, { firsts, fanOuts: [fanOut] });
        await ledger.settle(
          token,
          firsts.map((first) => resultOf(first)),
          [],
        );
      };
      // Two an event: its own row and that of its delivery.
      expect(await costOf(settling)).toEqual({ rows: 2 * firsts.length, trips: 2 });
    });

    it("give up each delivery with five reads, those of its indexes among them, however many there are", async () => {
      const total = 2_000;
      const fanOut = await begun({ total });
      const firsts = Array.from({ length: total }, (_, index) => elementOf(fanOut, index));
      await settledAll(ledger, firsts, retrying());
      const before = meter.read().d1_rows_read;
      expect(await fanOuts.giveUp(fanOut, "enough")).toBe(total);
      expect(meter.read().d1_rows_read - before).toBeLessThan(5 * total + 20);
      expect(await fanOuts.states(fanOut)).toEqual({ cancelled: total });
    });

    it("cost a row when they are forgotten, and a pass reads none that are young", async () => {
      const readOf = async (): Promise<number> => {
        const before = meter.read().d1_rows_read;
        await fanOuts.forget(1_000);
        return meter.read().d1_rows_read - before;
      };
      await fanOuts.forget(1_000);
      expect(await costOf(() => fanOuts.forget(1_000))).toEqual({ rows: 0, trips: 1 });
      const before = await readOf();
      const [fanOut] = [await begun({ total: 0 }), await begun({ total: 0 })];
      expect(await readOf()).toBe(before);
      await ageFanOut(fanOut, FANOUT_KEPT_MS + 1);
      expect(await costOf(() => fanOuts.forget(1_000))).toEqual({ rows: 1, trips: 1 });
    });

    it("go with their tenant, page by page, and are counted", async () => {
      const tenant = freshTenant();
      await prepare(tenant);
      for (const id of ["fan_1", "fan_2", "fan_3"]) await fanOuts.create(newOne(tenant, { id }));
      await deleteTenant(tenant, `job_${tenant}`);
      const remover = await deletions.remover();
      const own = (await deletions.running(1_000)).find((each) => each.tenant === tenant);
      if (own === undefined) throw new Error("there is no deletion");
      const left = async () => (await fanOuts.fanOuts(tenant, null, 10)).items.length;
      expect([await remover.rows(own, 2), await left()]).toEqual([{ removed: 2, more: true }, 1]);
      expect([await remover.rows(own, 2), await left()]).toEqual([{ removed: 1, more: false }, 0]);
    });
  },
);
