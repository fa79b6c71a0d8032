/** Bodies larger than their source takes: refused with the bound, and never cut off while they are sent. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemOf } from "../support/problem.ts";
import { type Router, startRouter } from "../support/router.ts";

const LARGEST = 25_000_000;

let router: Router;

beforeAll(async () => {
  router = await startRouter();
  await router.admin.put("tenants/acme", {});
  await router.admin.put("tenants/acme/sources/large", {
    verify: { scheme: "none" },
    bytesMax: LARGEST,
  });
});
afterAll(() => router?.stop());

describe("a body", () => {
  it("of a byte more than the most there is is refused, whatever the source takes", async () => {
    for (const size of [LARGEST + 1, 26_000_000]) {
      const problem = await problemOf(router.send("acme/large", { body: new Uint8Array(size) }));
      expect(problem).toMatchObject({ status: 413, bytesMax: LARGEST });
    }
  });

  it("far above the limit of its source is answered each time, not cut off while it is sent", async () => {
    await router.admin.put("tenants/acme/sources/usual", { verify: { scheme: "none" } });
    const body = new Uint8Array(10_000_000);
    for (let sent = 0; sent < 20; sent += 1) {
      const problem = await problemOf(router.send("acme/usual", { body }));
      expect(problem).toMatchObject({ status: 413, bytesMax: 1_000_000 });
    }
  });

  it("cannot be allowed to be larger than that", async () => {
    const source = { verify: { scheme: "none" }, bytesMax: LARGEST + 1 };
    const answer = await router.admin.request("PUT", "tenants/acme/sources/huge", source);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: "/bytesMax" }] } });
  });
});
