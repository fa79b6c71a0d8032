/** Bodies of every size there is a way for: in a pack, beside it, or too large for any. */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inTurn, receiverHere, status } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import { type Router, startRouter } from "../support/router.ts";

const KEY = randomBytes(32);
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

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("a body", () => {
  // Beside the largest pack (63.9 KB), the queue's largest message (128 KB) and batch (256 KB).
  it.each([63_000, 63_900, 70_000, 130_000, 250_000, LARGEST])(
    "of %i bytes is delivered byte by byte, signed, and a second time when the first fails",
    async (size) => {
      const receiver = await receiverHere(inTurn(status(500), status(200)));
      const { admin } = router;
      await admin.put("tenants/acme/targets/sink", {
        kind: "http",
        url: receiver.url,
        secrets: [`whsec_${KEY.toString("base64")}`],
        retry: { delaysSeconds: [0] },
      });
      await admin.put("tenants/acme/rules/all", {
        pattern: { source: ["large"] },
        priority: "normal",
        targets: ["sink"],
      });
      const body = randomBytes(size);
      const { id } = await accepted(router.send("acme/large", { body }));

      for (const { headers, body: came } of await receiver.waitFor(2)) {
        expect(came).toHaveLength(size);
        expect(digest(came)).toBe(digest(body));
        expect(headers["content-length"]).toBe(String(size));
        const prefix = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
        const mac = createHmac("sha256", KEY).update(prefix).update(came).digest("base64");
        expect(headers["webhook-signature"]).toBe(`v1,${mac}`);
      }
      const url = `${router.url}/admin/tenants/acme/events/${id}/body`;
      const headers = { authorization: `Bearer ${router.vars.ADMIN_TOKEN}` };
      const kept = await fetch(url, { headers });
      expect(digest(new Uint8Array(await kept.arrayBuffer()))).toBe(digest(body));
    },
  );

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
