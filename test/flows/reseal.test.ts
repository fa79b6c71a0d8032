/** Secrets are sealed anew: all of them, once, whatever ends on the way. */
import { describe, expect, it } from "vitest";
import { RESEAL_PAGE, RESEAL_PAGES_MAX } from "../../src/core/operator-limits.ts";
import { type ResealPorts, reseal } from "../../src/flows/reseal.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { createMemoryReseals, type MemoryReseals } from "../support/memory-reseals.ts";
import { createIsolate, createWorld } from "../support/memory-router.ts";

const PASS_MAX = RESEAL_PAGE * RESEAL_PAGES_MAX;

/** Sources of one tenant, sealed under an old key. */
const sources = (count: number): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `acme/source/s${String(at).padStart(4, "0")}`,
      "old",
    ]),
  );

function jobOf(resources: Readonly<Record<string, string>>) {
  const world = createWorld();
  const reseals = createMemoryReseals(resources);
  const ports: ResealPorts = { reseals, limiter: world.limiter, log: world.log };
  return { world, reseals, ports };
}

async function pass(reseals: MemoryReseals, ports: ResealPorts): Promise<number> {
  const running = await reseals.running();
  return running === null ? 0 : reseal(running, ports);
}

const keysOf = ({ sealed }: MemoryReseals): Set<string> => new Set(sealed.values());

describe("a job that seals secrets anew", () => {
  it("goes as far as a pass may and is done by later ones", async () => {
    const { reseals, ports, world } = jobOf(sources(PASS_MAX + 1));
    expect(await pass(reseals, ports)).toBe(PASS_MAX);
    expect(reseals.isDone).toBe(false);
    expect(await pass(reseals, ports)).toBe(1);
    expect(keysOf(reseals)).toEqual(new Set(["newest"]));
    expect(reseals).toMatchObject({ isDone: true, looked: PASS_MAX + 1 });
    expect(world.log.of("secrets-resealed")).toMatchObject([{ job: "job_1" }]);
  });

  it("is done at once where there is nothing to seal", async () => {
    const { reseals, ports } = jobOf({});
    expect(await pass(reseals, ports)).toBe(0);
    expect(reseals.isDone).toBe(true);
  });

  it("is part of the sweeper's pass, which another part's failure does not end", async () => {
    const { world, reseals } = jobOf(sources(3));
    const broken = {
      reseals,
      outbox: { ...world.outbox, wake: () => Promise.reject(new Error("down")) },
    };
    const swept = await sweep("overdue", createIsolate(world, { broken }).deliver);
    expect(swept.resealed).toBe(3);
    expect(reseals.isDone).toBe(true);
  });

  it("leaves what it has no key for, says so, and goes on", async () => {
    const { reseals, ports, world } = jobOf({ ...sources(2), "acme/target/sink": "missing" });
    expect(await pass(reseals, ports)).toBe(2);
    expect(reseals.isDone).toBe(true);
    expect(world.log.of("secrets-locked")).toMatchObject([
      { resource: "acme/target/sink", key: "missing" },
    ]);
  });

  it("takes what is known of a secret's uses along", async () => {
    const { reseals, ports, world } = jobOf(sources(1));
    const secretsUsed = ["old acme/source/s0000", "another's"];
    await world.limiter.lease("acme", { asks: [], revision: 1, secretsUsed });
    const usedAtMs = world.clock.nowMs();
    await pass(reseals, ports);
    expect(await world.limiter.secretsLastUsed("acme")).toEqual({
      "new acme/source/s0000": usedAtMs,
      "another's": usedAtMs,
    });
  });

  it.each(["page", "note", "limiter"] as const)(
    "that fails before or after any %s goes on from there",
    async (port) => {
      const count = 3 * RESEAL_PAGE;
      for (let at = 0; at < 3; at += 1) {
        for (const when of ["before", "after"] as const) {
          const { reseals, ports } = jobOf(sources(count));
          let calls = 0;
          const failing = async <T>(work: () => Promise<T>): Promise<T> => {
            const isIt = calls++ === at;
            if (isIt && when === "before") throw new Error("down");
            const result = await work();
            if (isIt) throw new Error("down");
            return result;
          };
          const { page, note } = await reseals.resealer();
          const real = ports.limiter.renameSecrets;
          const broken: ResealPorts = {
            ...ports,
            limiter: {
              renameSecrets: (...call) =>
                port === "limiter" ? failing(() => real(...call)) : real(...call),
            },
            reseals: {
              ...reseals,
              resealer: async () => ({
                page: (...call) => (port === "page" ? failing(() => page(...call)) : page(...call)),
                note: (...call) => (port === "note" ? failing(() => note(...call)) : note(...call)),
              }),
            },
          };
          await expect(pass(reseals, broken)).rejects.toThrow("down");
          while (!reseals.isDone) await pass(reseals, broken);
          expect(keysOf(reseals)).toEqual(new Set(["newest"]));
          expect(reseals.looked).toBe(count);
        }
      }
    },
  );
});
