/** Readers of targets that are pulled: they answer, early or late, twice or never, and die with what they hold. */
import { platformText } from "../../src/adapters/crypto.ts";
import { Retryable } from "../../src/core/errors.ts";
import { isJsonObject, stringifyJson } from "../../src/core/json.ts";
import { parseLeaseId } from "../../src/core/pull/pull.ts";
import { answerLeases, type Said } from "../../src/flows/answer-leases.ts";
import { type PulledItem, pull } from "../../src/flows/pull.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { HeldLease, Pulls } from "../../src/ports/pulls.ts";
import type { MemoryLedger } from "../support/memory-ledger.ts";
import type { Isolates } from "./isolates.ts";
import { createLife, type Life } from "./life.ts";
import { wiredArchive } from "./ports.ts";
import type { Stores } from "./stores.ts";
import { PULL, type SimulatedTarget, type SimulatedTenant } from "./tenants.ts";
import { traceLog } from "./trace.ts";

/** Not one that has ended since: what comes late of it gives nothing back. */
export function isHeld(lease: HeldLease, { deliveries }: MemoryLedger): boolean {
  const { state, token } = deliveries.get(keyOf(lease)) ?? {};
  return state === "parked" && token === lease.token;
}

/** The rows behind the wire, and their book beside it. */
export function wiredPulls({ wire, ledger, pulls, pullWatch }: Stores, life: Life): Pulls {
  const call = <T>(method: string, effect: () => Promise<T>) =>
    wire.call(life, "ledger", method, effect);
  return {
    ...pulls,
    ready: (id, count) => call("ready", () => pulls.ready(id, count)),
    look: (id, count) => call("lookForReader", () => pulls.look(id, count)),
    lease: (ready, token, leaseMs) =>
      call("lease", async () => {
        const keys = await pulls.lease(ready, token, leaseMs);
        pullWatch.leased(keys, token, leaseMs);
        return keys;
      }),
    giveBack: (leases) =>
      call("giveBackLeases", async () => {
        const held = leases.filter((lease) => isHeld(lease, ledger));
        await pulls.giveBack(leases);
        pullWatch.gaveBack(held);
      }),
    acknowledge: (id, leases) =>
      call("acknowledge", async () => {
        const keys = await pulls.acknowledge(id, leases);
        pullWatch.acknowledged(keys, leases);
        return keys;
      }),
    refuse: (id, leases, said) =>
      call("refuse", async () => {
        const keys = await pulls.refuse(id, leases, said);
        pullWatch.refused(keys, leases, said.delayMs);
        return keys;
      }),
    extend: (id, leases, leaseMs) =>
      call("extend", async () => {
        const keys = await pulls.extend(id, leases, leaseMs);
        pullWatch.extended(keys, leases, leaseMs);
        return keys;
      }),
    standing: (id, leases) => call("standing", () => pulls.standing(id, leases)),
    bury: (keys, by, reason) =>
      call("buryPulled", async () => {
        const count = await pulls.bury(keys, by, reason);
        pullWatch.buried();
        return count;
      }),
    excess: (id, most, count) => call("excess", () => pulls.excess(id, most, count)),
  };
}

const NACK_DELAY_MS = 3_000;
const SAID: Readonly<Record<"ack" | "nack" | "extend", Said>> = {
  ack: { kind: "ack" },
  nack: {
    ...{ kind: "nack", reason: "not now", delayMs: NACK_DELAY_MS },
    attemptsMax: PULL.attemptsMax,
  },
  extend: { kind: "extend", leaseMs: PULL.leaseMs },
};

export function createReaders(
  tenants: ReadonlyMap<string, SimulatedTenant>,
  stores: Stores,
  isolates: Isolates,
): void {
  const { scheduler, chance, trace, violations, wire, acceptance, pullWatch } = stores;

  function read(tenant: SimulatedTenant, target: SimulatedTarget): void {
    const isThere = !tenant.isDeleted && tenant.targets.has(target.id);
    const isolate = isolates.pick();
    const isClosed = !stores.tenants.isOpen(tenant.id, target.id);
    if (isThere) scheduler.after(chance.between(500, 15_000), null, () => read(tenant, target));
    if (!isThere || isClosed || isolate === null) return;
    const life = createLife("reader", scheduler, isolate.life);
    const pulls = wiredPulls(stores, life);
    const id = { tenant: tenant.id, target: target.id };
    const pulling = pull(
      {
        ...{ id, max: chance.between(1, 3), leaseMs: null },
        waitMs: chance.pick([0, 0, 4_000]),
      },
      {
        ...{ archive: wiredArchive(stores, life), clock: life.clock, random: chance },
        ...{
          directory: isolate.accept.directory,
          log: traceLog(trace, life.name),
          pulls: async () => pulls,
          text: platformText,
        },
      },
    );
    pulling.then(
      (items) => {
        for (const item of items ?? []) take(item);
      },
      (error: unknown) => {
        if (!(error instanceof Retryable)) violations.add(`a pull fails: ${String(error)}`);
      },
    );

    function take(item: PulledItem): void {
      const { event } = item.delivery;
      trace.note("reader", "has", () => event);
      pullWatch.given(item.delivery, parseLeaseId(item.lease)?.token ?? "");
      checkContent(item);
      const isBad = !wire.isCalm();
      const does = isBad ? chance.pick(["ack", "ack", "ack", "nack", "extend", "die"]) : "ack";
      const delayMs = isBad ? chance.between(0, 1.5 * PULL.leaseMs) : chance.between(0, 1_000);
      if (does === "die") return;
      // It outlives the isolate that it has asked, and tells another.
      scheduler.after(delayMs, null, () => {
        say(item, SAID[does as "ack"]);
        if (does === "extend") {
          scheduler.after(chance.between(0, PULL.leaseMs), null, () => say(item, SAID.ack));
        }
      });
    }

    /** Sometimes twice. */
    function say({ lease }: PulledItem, said: Said): void {
      const asked = isolates.pick();
      if (asked === null) return;
      const own = wiredPulls(stores, createLife("reader", scheduler, asked.life));
      const times = !wire.isCalm() && chance.happens(0.2) ? 2 : 1;
      for (let time = 0; time < times; time += 1) {
        answerLeases(id, [lease], said, own).then(
          ({ done, refused }) => {
            if (done + refused.length !== 1) violations.add("a lease is answered twice, or never");
          },
          (error: unknown) => {
            if (!(error instanceof Retryable)) violations.add(`an answer fails: ${String(error)}`);
          },
        );
      }
    }
  }

  /** What a reader gets is what the sender sent. */
  function checkContent({ delivery: { event }, content }: PulledItem): void {
    const sent = acceptance.bodyOf(event);
    const data = isJsonObject(content) ? content.data : undefined;
    const text = sent === undefined ? null : Buffer.from(sent).toString();
    const isSame =
      text !== null &&
      data !== undefined &&
      JSON.stringify(JSON.parse(stringifyJson(data))) === JSON.stringify(JSON.parse(text));
    if (!isSame) violations.add(`a reader gets of ${event} what its sender did not send`, event);
  }

  for (const tenant of tenants.values()) {
    for (const target of tenant.targets.values()) {
      if (target.kind !== "pull") continue;
      scheduler.after(chance.between(0, 5_000), null, () => read(tenant, target));
    }
  }
}
