/** What waits for paused and disabled targets is bounded, for each of them, and ends where a person sees it. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  PARKED_CLOSED_MS_MAX,
  PARKED_CLOSED_TARGETS_MAX,
  PARKED_EXCESS_PAGES_MAX,
} from "../../src/core/gate/limits.ts";
import { PULL_SWEEP_PAGE } from "../../src/core/pull/limits.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { keepClosed } from "../../src/flows/keep-parked.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { boundTo, frameOf, packOf, type RecordSketch } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { NO_GATE } from "../support/memory-tenants.ts";
import { messageOf } from "./consumer.ts";

let world: World;
let ports: DeliverPorts;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", {
    targets: { paused: { closed: "paused" }, gone: { closed: "disabled" }, open: {} },
  });
  ports = createIsolate(world).deliver;
});

async function park(count: number, sketch: RecordSketch): Promise<void> {
  const items = Array.from({ length: count }, (_, at) => {
    const key = `${JSON.stringify(sketch.to)}-${sketch.receivedAtMs}-${at}`;
    return { content: frameOf({ key, receivedAtMs: world.clock.nowMs() + at, ...sketch }) };
  });
  for (let at = 0; at < count; at += 50) {
    const message = messageOf(packOf(...items.slice(at, at + 50)));
    await world.clock.run(deliverBatch("normal", [message], ports));
  }
}

const rowsOf = (target: string) =>
  [...world.ledger.deliveries.values()].filter((row) => row.target === target);
const statesOf = (target: string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { state } of rowsOf(target)) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
};
const keep = (countMax: number, turn = 0, by = ports) =>
  world.clock.run(keepClosed(turn, by, countMax));

describe("a closed target", () => {
  it("keeps as many as may wait; the least urgent and newest become dead letters that say so", async () => {
    await park(5, { to: ["paused"] });
    await world.clock.advance(1_000);
    await park(2, { to: [boundTo("paused", "critical")] });
    await park(3, { to: ["gone"] });
    expect(await keep(3)).toBe(4);
    const dead = rowsOf("paused").filter(({ state }) => state === "dead");
    expect(dead.map(({ lastError }) => lastError)).toEqual(
      Array(4).fill("3 deliveries wait for their closed target already, as many as may"),
    );
    const kept = rowsOf("paused").filter(({ state }) => state === "parked");
    expect(kept.map(({ priority }) => priority).sort()).toEqual(["critical", "critical", "normal"]);
    const oldest = Math.min(...rowsOf("paused").map(({ receivedAtMs }) => receivedAtMs));
    expect(kept.find(({ priority }) => priority === "normal")?.receivedAtMs).toBe(oldest);
    expect(statesOf("gone")).toEqual({ parked: 3 });
  });

  it("gives up nothing more in the next pass, and all that is kept goes out when it is opened", async () => {
    await park(6, { to: ["paused"] });
    expect(await keep(4)).toBe(2);
    expect(await keep(4)).toBe(0);
    world.tenants.put("acme", { targets: { paused: {} } });
    await world.clock.run(sweep("overdue", ports));
    for (let turn = 0; turn < 10; turn += 1) {
      const messages = world.queues.take("normal", 10);
      await world.clock.run(deliverBatch("normal", messages, ports));
      await world.clock.advance(60_000);
      await world.clock.run(sweep("overdue", ports));
    }
    expect(statesOf("paused")).toEqual({ delivered: 4, dead: 2 });
  });

  it("of which far too many wait is worked off a few pages a pass, and holds up no other", async () => {
    const page = 2;
    const pages: string[] = [];
    const { buryClosedExcess } = world.ledger;
    const ledger: DeliverPorts["ledger"] = {
      ...world.ledger,
      buryClosedExcess(tenant, target, bound, count) {
        pages.push(`${target} ${count}`);
        return buryClosedExcess(tenant, target, bound, page).then((gone) =>
          gone === page ? count : gone,
        );
      },
    };
    await park(60, { to: ["paused"] });
    await park(3, { to: ["gone"] });
    await keep(1, 0, { ...ports, ledger });
    expect(statesOf("paused")).toEqual({ parked: 60 - page * PARKED_EXCESS_PAGES_MAX, dead: 20 });
    expect(statesOf("gone")).toEqual({ parked: 1, dead: 2 });
    expect(pages.filter((each) => each === `paused ${PULL_SWEEP_PAGE}`)).toHaveLength(
      PARKED_EXCESS_PAGES_MAX,
    );
  });

  it("of many has its turn, pass by pass", async () => {
    const names = Array.from({ length: 3 * PARKED_CLOSED_TARGETS_MAX }, (_, at) => `target-${at}`);
    const targets = Object.fromEntries(names.map((name) => [name, { closed: "paused" as const }]));
    world.tenants.put("acme", { targets });
    for (const name of names) await park(2, { to: [name] });
    let passes = 0;
    while (names.some((name) => statesOf(name).dead !== 1)) {
      await keep(1, passes);
      passes += 1;
      expect(passes).toBeLessThanOrEqual(6);
    }
    expect(passes).toBeGreaterThan(1);
  });

  it("that cannot be looked at holds up no other, and is told", async () => {
    await park(3, { to: ["paused"] });
    await park(3, { to: ["gone"] });
    const { buryClosedExcess } = world.ledger;
    const ledger: DeliverPorts["ledger"] = {
      ...world.ledger,
      buryClosedExcess: (tenant, target, ...rest) =>
        target === "paused"
          ? Promise.reject(new Error("down"))
          : buryClosedExcess(tenant, target, ...rest),
    };
    await expect(keep(1, 0, { ...ports, ledger })).rejects.toThrow("down");
    expect(statesOf("gone")).toEqual({ parked: 1, dead: 2 });
  });

  it("keeps what is old no longer than before, however little it is", async () => {
    await park(2, { to: ["paused"] });
    await world.clock.advance(PARKED_CLOSED_MS_MAX + 1_000);
    expect(await keep(100)).toBe(2);
  });
});

describe("an open target", () => {
  it("is none of them, whatever waits for its gate", async () => {
    const gate = { ...NO_GATE, isSet: true, perDay: 0 };
    world.tenants.put("acme", { targets: { open: { gate } } });
    await park(3, { to: ["open"] });
    expect(await keep(0)).toBe(0);
    expect(statesOf("open")).toEqual({ parked: 3 });
  });
});
