/** A secret changed through one isolate, seen from another: the local engine has only one of them. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import { acceptEvent } from "../../src/flows/accept-event.ts";
import { createIsolate, createWorld, type Isolate, type World } from "../support/memory-router.ts";

let world: World;
let isolate: Isolate;

beforeEach(async () => {
  world = createWorld();
  isolate = createIsolate(world);
  await putKeys("old", "both");
  expect(await send("old")).toBe("accepted");
  await putKeys("new", "both");
  await world.clock.advance(LEASE_TTL_MS + 1);
});

/** A PUT that another isolate has served: stored and announced, but not told to this one. */
async function putKeys(...keys: string[]): Promise<void> {
  const verify = { scheme: "api-key", header: "x-key", keys } as const;
  const { revision } = world.tenants.put("acme", { sources: { hooks: { verify } } });
  await world.limiter.announce("acme", revision);
}

async function send(key: string): Promise<string> {
  const header = (name: string) => (name === "x-key" ? key : null);
  const readBody = async () => new TextEncoder().encode("{}");
  const headers = [["x-key", key]] as const;
  const webhook = { tenant: "acme", source: "hooks", headers, header, readBody };
  return (await acceptEvent(webhook, isolate.accept)).kind;
}

describe("a lease's life after a rotation in another isolate", () => {
  it("the new secret is accepted", async () => {
    expect(await send("new")).toBe("accepted");
  });

  it("the old secret is refused", async () => {
    expect(await send("old")).toBe("refused");
  });

  it("a secret that stays is accepted", async () => {
    expect(await send("both")).toBe("accepted");
  });
});
