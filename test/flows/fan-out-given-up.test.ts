/** A fan-out that is cancelled, and elements that fail: what is tried again, and what never. */
import { beforeEach, describe, expect, it } from "vitest";
import { elementId } from "../../src/core/fan-out/element.ts";
import { CANCELLED, endCancelled } from "../../src/flows/fan-out-page.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { response } from "../support/memory-transport.ts";
import { createMailing, listOf, type Mailing, states } from "./mailing.ts";

let mailing: Mailing;
beforeEach(() => {
  mailing = createMailing();
});

describe("a fan-out that is cancelled", () => {
  it("tries nothing again that was in a consumer's hands, whatever becomes of it there", async () => {
    await mailing.send(listOf(6));
    await mailing.consume();
    await mailing.page();
    const fanOut = mailing.fanOut();
    if (fanOut === undefined) throw new Error("there is none");
    const { fanOuts, transport } = mailing.world;
    transport.answer = async () => {
      if (mailing.fanOut()?.state !== "cancelled") {
        await fanOuts.move(fanOut, ["running", "done"], "cancelled", "enough");
        expect(await fanOuts.giveUp(fanOut, CANCELLED)).toBe(0);
      }
      return response(500);
    };
    await mailing.consume();
    expect(await states(mailing)).toEqual({ retrying: 6 });
    await mailing.finish();
    expect(await states(mailing)).toEqual({ cancelled: 6 });
    expect(mailing.received()).toHaveLength(6);
  });

  it("sends no element more, not even those in a queue, and says of each why", async () => {
    mailing = createMailing({ forEach: { path: "$.data.recipients", perSecond: 4 } });
    await mailing.send(listOf(12));
    await mailing.consume();
    await mailing.page();
    await mailing.consume();
    await mailing.page();
    const fanOut = mailing.fanOut();
    if (fanOut === undefined) throw new Error("there is none");
    await mailing.world.fanOuts.move(fanOut, ["running"], "cancelled", "enough");
    await mailing.finish();
    expect(mailing.received()).toHaveLength(4);
    expect(await states(mailing)).toEqual({ delivered: 4, cancelled: 4 });
    const cancelled = [...mailing.world.ledger.deliveries.values()].find(
      ({ state }) => state === "cancelled",
    );
    expect(cancelled?.lastError).toBe("fan-out cancelled");
  });

  it("and was done ends by itself, though the ledger did not answer who cancelled it", async () => {
    mailing.world.transport.answer = () => response(500);
    await mailing.send(listOf(3));
    await mailing.finish();
    const { fanOuts } = mailing.world;
    const found = mailing.fanOut();
    if (found?.state !== "done") throw new Error("it is not done");
    await fanOuts.move(found, ["done"], "cancelled", "enough");
    fanOuts.woken.length = 0;
    const giveUp = () => Promise.reject(new Error("down"));
    const ending = endCancelled(found, { giveUp }, mailing.isolate.deliver);
    await expect(mailing.world.clock.run(ending)).rejects.toThrow("down");
    expect(fanOuts.woken).toEqual([{ tenant: "acme", id: found.id }]);
    await mailing.finish();
    expect(await states(mailing)).toEqual({ cancelled: 3 });
  });

  it("is given up by its object and by who cancelled it side by side, each element once", async () => {
    mailing.world.transport.answer = () => response(500);
    await mailing.send(listOf(3));
    await mailing.finish();
    const { clock, fanOuts } = mailing.world;
    const found = mailing.fanOut();
    if (found === undefined) throw new Error("there is none");
    await fanOuts.move(found, ["done"], "cancelled", "enough");
    const { deliver } = mailing.isolate;
    await Promise.all([clock.run(endCancelled(found, fanOuts, deliver)), mailing.page()]);
    await mailing.finish();
    expect(await states(mailing)).toEqual({ cancelled: 3 });
  });

  it("gives up what waits for another try, and nothing of another fan-out", async () => {
    mailing.world.transport.answer = () => response(500);
    await mailing.send(listOf(3));
    await mailing.send('{"recipients":[1,2]}');
    await mailing.consume();
    for (const { tenant, id } of mailing.world.fanOuts.rows.values()) {
      const { fanOutPage } = await import("../../src/flows/fan-out-page.ts");
      await mailing.world.clock.run(fanOutPage({ tenant, id }, mailing.ports));
    }
    await mailing.consume();
    const [first, second] = [...mailing.world.fanOuts.rows.values()];
    if (first === undefined || second === undefined) throw new Error("there are none");
    expect(await mailing.world.fanOuts.giveUp(first, "enough")).toBe(3);
    expect(await mailing.world.fanOuts.states(first)).toEqual({ cancelled: 3 });
    expect(await mailing.world.fanOuts.states(second)).toEqual({ retrying: 2 });
  });
});

describe("elements that fail", () => {
  it("are tried again, and no others", async () => {
    const refused = new Set(["2", "5"]);
    mailing.world.transport.answer = ({ headers }) =>
      response(refused.has(headers.get("signalbox-index") ?? "") ? 500 : 200);
    await mailing.send(listOf(7));
    await mailing.finish();
    expect(await states(mailing)).toEqual({ delivered: 5, retrying: 2 });
    mailing.world.transport.answer = () => response(200);
    await mailing.world.clock.advance(60_000);
    await mailing.world.clock.run(sweep("overdue", mailing.isolate.deliver));
    await mailing.finish();
    expect(await states(mailing)).toEqual({ delivered: 7 });
    const { id = "" } = mailing.fanOut() ?? {};
    const again = mailing.world.transport.sent
      .filter(({ headers }) => headers.get("signalbox-attempt") !== "1")
      .map(({ headers }) => headers.get("signalbox-event"));
    const tools = mailing.isolate.accept;
    expect(again.sort()).toEqual([elementId(id, 2, tools), elementId(id, 5, tools)]);
  });
});
