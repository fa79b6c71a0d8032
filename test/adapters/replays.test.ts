/** Replays as D1 and the memory of the simulation keep them: a slice is written whole and once, or not at all. */
import { describe, expect, it } from "vitest";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { createReplayers } from "../../src/adapters/replayers.ts";
import { GENERATION_MS } from "../../src/core/limits.ts";
import { START } from "../../src/core/replay.ts";
import type { ReplayId } from "../../src/ports/replays.ts";
import {
  claim,
  costOf,
  dueOf,
  firstOf,
  freshTenant,
  freshToken,
  meter,
  resultOf,
  SUBJECTS,
  session,
  settledAll,
  settledOnce,
} from "./ledgers.ts";
import { QUERY, replayedOf, sliceOf } from "./replayed.ts";

const history = createHistory(session);

describe.each(SUBJECTS)(
  "replays in $name",
  ({ name, ledger, replays, ensure, deletions, deleteTenant, prepare }) => {
    async function begun(): Promise<ReplayId> {
      const tenant = freshTenant();
      await ensure([tenant]);
      const at = { tenant, id: `rpl_${tenant}` };
      await replays.create(at, QUERY);
      return at;
    }

    it("begin at the start, with what was asked for", async () => {
      const at = await begun();
      expect(await replays.replay(at)).toMatchObject({
        ...at,
        ...{ query: QUERY, state: "running", rev: 0, checkpoint: START, deliveries: 0 },
      });
      expect(await replays.replay({ ...at, tenant: "acme" })).toBeNull();
      await replays.create({ tenant: "nobody", id: "rpl_none" }, QUERY);
      expect(await replays.replay({ tenant: "nobody", id: "rpl_none" })).toBeNull();
    });

    it("write a slice's deliveries with its checkpoint, and each delivery once", async () => {
      const at = await begun();
      const first = await settledOnce(ledger, {}, firstOf({ tenant: at.tenant }));
      const deliveries = [replayedOf(first), replayedOf(first, { subscription: "another" })];
      const made = await replays.advance(at, 0, sliceOf(deliveries));
      expect(made).toEqual(deliveries);
      expect(await replays.replay(at)).toMatchObject({
        ...{ rev: 1, deliveries: 2, examined: 3, unreadableBytes: 2, reachedAtMs: 7 },
        checkpoint: { ...START, segments: "segments/acme/x" },
      });
      expect(await replays.advance(at, 1, sliceOf(deliveries, { reachedAtMs: null }))).toEqual([]);
      expect(await replays.replay(at)).toMatchObject({ rev: 2, deliveries: 2, reachedAtMs: 7 });
      expect(await replays.states(at)).toEqual({ pending: 2 });
      const due = await dueOf(ledger, at.tenant, 600_000);
      expect(due.map(({ replay, priority, attempts }) => [replay, priority, attempts])).toEqual([
        [at.id, "replay", 0],
        [at.id, "replay", 0],
      ]);
      expect(await dueOf(ledger, at.tenant, 1_000)).toEqual([]);
    });

    it("write nothing of a slice that was begun before another, or of one that does not run", async () => {
      const at = await begun();
      const first = await settledOnce(ledger, {}, firstOf({ tenant: at.tenant }));
      await replays.advance(at, 0, sliceOf([]));
      expect(await replays.advance(at, 0, sliceOf([replayedOf(first)]))).toBeNull();
      expect(await replays.move(at, ["running"], "paused")).toBe(true);
      expect(await replays.move(at, ["running"], "paused")).toBe(false);
      expect(await replays.advance(at, 1, sliceOf([replayedOf(first)]))).toBeNull();
      expect(await replays.replay(at)).toMatchObject({ rev: 1, deliveries: 0, examined: 3 });
      expect(await replays.states(at)).toEqual({});
      await replays.move(at, ["paused"], "running");
      await replays.advance(at, 1, sliceOf([replayedOf(first)], { isLast: true }));
      expect(await replays.replay(at)).toMatchObject({ state: "done", deliveries: 1 });
    });

    it("make a delivery of what the ledger does not keep any more, and of no suppressed copy", async () => {
      const at = await begun();
      const old = firstOf({ tenant: at.tenant });
      const owned = await settledOnce(ledger, {}, firstOf({ tenant: at.tenant }));
      const copy = replayedOf(owned, { receipt: "rcp_copy" });
      const ended = replayedOf(firstOf({ tenant: at.tenant, revision: 0 }));
      const made = await replays.advance(
        at,
        0,
        sliceOf([replayedOf(old), copy, replayedOf(owned), ended]),
      );
      expect(made).toEqual([replayedOf(old), replayedOf(owned)]);
      const [due] = await dueOf(ledger, at.tenant, 600_000);
      expect(due?.pointer).toEqual(old.pointer);
    });

    it("make nothing of what may be in its queue before the ledger knows its event", async () => {
      const at = await begun();
      const first = firstOf({ tenant: at.tenant });
      const big = replayedOf(first, { mayBeQueued: true });
      const copy = replayedOf(first, { receipt: "rcp_refused", mayBeQueued: true });
      expect(await replays.advance(at, 0, sliceOf([copy, big]))).toEqual([]);
      await settledOnce(ledger, {}, first);
      expect(await replays.advance(at, 1, sliceOf([copy, big]))).toEqual([big]);
    });

    it("leave an event's own way as it is: its receipt goes on where it stopped", async () => {
      const at = await begun();
      const first = firstOf({ tenant: at.tenant });
      await replays.advance(at, 0, sliceOf([replayedOf(first)]));
      const token = freshToken();
      const answer = await claim(ledger, token, { firsts: [first] });
      expect([...answer.firsts.values()]).toMatchObject([{ kind: "claimed" }]);
      expect((await ledger.settle(token, [resultOf(first)], [])).refused.size).toBe(0);
      expect(await replays.states(at)).toEqual({ pending: 1 });
    });

    it("give up what is owed, and leave what is delivered", async () => {
      const at = await begun();
      const first = await settledOnce(ledger, {}, firstOf({ tenant: at.tenant }));
      const deliveries = [replayedOf(first), replayedOf(first, { subscription: "another" })];
      await replays.advance(at, 0, sliceOf(deliveries));
      const token = freshToken();
      const { revision } = first;
      const agains = [{ ...replayedOf(first), attempts: 0, revision }];
      await claim(ledger, token, { agains });
      const delivered = { subscription: "replayed", claimedBy: "row" as const };
      await ledger.settle(token, [resultOf(first, delivered)], []);
      expect(await replays.giveUp(at, "cancelled")).toBe(1);
      expect(await replays.giveUp(at, "cancelled")).toBe(0);
      expect(await replays.states(at)).toEqual({ delivered: 1, cancelled: 1 });
      expect(await dueOf(ledger, at.tenant, 600_000)).toEqual([]);
    });

    it("are listed newest first, a tenant's own alone", async () => {
      const { tenant } = await begun();
      for (const id of ["rpl_1", "rpl_3", "rpl_2"]) await replays.create({ tenant, id }, QUERY);
      const page = await replays.replays(tenant, `rpl_9`, 2);
      expect(page.items.map(({ id }) => id)).toEqual(["rpl_3", "rpl_2"]);
      const rest = await replays.replays(tenant, page.after, 2);
      expect(rest).toMatchObject({ items: [{ id: "rpl_1" }], after: null });
      expect((await replays.replays(freshTenant(), null, 2)).items).toEqual([]);
    });

    if (name === "D1") {
      it("give up each delivery with five reads, those of its indexes among them, however many there are", async () => {
        const [at, total] = [await begun(), 2_000];
        const ages = [0, GENERATION_MS, 2 * GENERATION_MS];
        const firsts = Array.from({ length: total }, (_, index) =>
          firstOf({ tenant: at.tenant, receivedAtMs: Date.now() - (ages[index % 3] ?? 0) }),
        );
        await settledAll(ledger, firsts);
        for (let rev = 0; rev < total / 200; rev += 1) {
          const own = firsts.slice(rev * 200, (rev + 1) * 200);
          const slice = sliceOf(own.map((first) => replayedOf(first)));
          expect(await replays.advance(at, rev, slice)).toHaveLength(200);
        }
        const before = meter.read().d1_rows_read;
        expect(await replays.giveUp(at, "cancelled")).toBe(total);
        expect(meter.read().d1_rows_read - before).toBeLessThan(5 * total + 20);
        expect(await replays.states(at)).toEqual({ cancelled: total });
      });

      it("go with their tenant", async () => {
        const tenant = freshTenant();
        await prepare(tenant);
        const at = { tenant, id: "rpl_1" };
        await replays.create(at, QUERY);
        await deleteTenant(tenant, `job_${tenant}`);
        const remover = await deletions.remover();
        const own = (await deletions.running(1_000)).filter((each) => each.tenant === tenant);
        for (const deletion of own) await remover.rows(deletion, 100);
        expect(own).toHaveLength(1);
        expect(await replays.replay(at)).toBeNull();
      });

      it("make an event matched that no rule had matched, in every list of events", async () => {
        const at = await begun();
        const { tenant } = at;
        const none = { subscription: "", state: "unmatched", attempts: 0, attempt: null } as const;
        const replayed = await settledOnce(ledger, none, firstOf({ tenant }));
        const left = await settledOnce(ledger, none, firstOf({ tenant }));
        await replays.advance(at, 0, sliceOf([replayedOf(replayed)]));
        const range = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
        const listed = async (outcome?: "matched" | "unmatched") => {
          const { items } = await history.events(tenant, { ...range, outcome }, null, 10);
          return items.map(({ id, deliveries }) => [id, deliveries]);
        };
        expect(await listed("matched")).toEqual([[replayed.id, { pending: 1 }]]);
        expect(await listed("unmatched")).toEqual([[left.id, {}]]);
        expect(await listed()).toHaveLength(2);
      });

      it("cost three rows for each delivery and three for the slice, in one round trip", async () => {
        const at = await begun();
        const firsts = await Promise.all(
          Array.from({ length: 20 }, () => settledOnce(ledger, {}, firstOf({ tenant: at.tenant }))),
        );
        const slice = sliceOf(firsts.map((first) => replayedOf(first)));
        const cost = await costOf(() => replays.advance(at, 0, slice));
        expect(cost).toEqual({ rows: 3 * firsts.length + 3, trips: 1 });
      });

      it("that have just moved are not overdue", async () => {
        const at = await begun();
        const replayers = createReplayers(session, {} as never, meter);
        const ids = (await replayers.overdue(1_000)).map(({ id }) => id);
        expect(ids).not.toContain(at.id);
      });
    }
  },
);
