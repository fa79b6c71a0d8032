/** Bodies of every size there is a way for, in a pack or beside it: they arrive as they came. */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inTurn, receiverHere, status } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import { watchMemory } from "../support/isolate-memory.ts";
import { postTogether } from "../support/raw-http.ts";
import { type Router, startRouter } from "../support/router.ts";
import { routerHere } from "../support/router-here.ts";

const KEY = randomBytes(32);
const LARGEST = 25_000_000;
/** What one isolate may hold (Cloudflare Workers limits). */
const ISOLATE_BYTES_MAX = 128_000_000;

let router: Router;

beforeAll(async () => {
  router = await startRouter();
  await prepare(router);
});
afterAll(() => router?.stop());

async function prepare({ admin }: Router): Promise<void> {
  await admin.put("tenants/acme", {});
  await admin.put("tenants/acme/sources/large", {
    verify: { scheme: "none" },
    bytesMax: LARGEST,
  });
}

/** All events go to a target at `url`, signed. */
async function deliverTo({ admin }: Router, url: string): Promise<void> {
  await admin.put("tenants/acme/targets/sink", {
    kind: "http",
    url,
    timeoutMs: 30_000,
    secrets: [`whsec_${KEY.toString("base64")}`],
    retry: { delaysSeconds: [0] },
  });
  await admin.put("tenants/acme/rules/all", {
    pattern: { source: ["large"] },
    priority: "normal",
    targets: ["sink"],
  });
}

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

type Form = "with its length" | "in chunks";

/** In chunks: the client does not know the length, and so says none. */
const send = (to: Router, body: Uint8Array<ArrayBuffer>, form: Form) =>
  accepted(
    to.send(
      "acme/large",
      form === "in chunks" ? { body: new Blob([body]).stream(), duplex: "half" } : { body },
    ),
  );

describe("a body", () => {
  // Beside the largest pack (63.9 KB), the queue's largest message (128 KB) and batch (256 KB).
  it.each<[number, Form]>([
    [0, "in chunks"],
    [63_000, "with its length"],
    [63_900, "with its length"],
    [70_000, "in chunks"],
    [130_000, "with its length"],
    [130_000, "in chunks"],
    [250_000, "with its length"],
    [250_000, "in chunks"],
    [1_000_000, "with its length"],
    [1_000_000, "in chunks"],
    [LARGEST, "with its length"],
    [LARGEST, "in chunks"],
  ])(
    "of %i bytes, sent %s, is delivered byte by byte, signed, and a second time when the first fails",
    async (size, form) => {
      const receiver = await receiverHere(inTurn(status(500), status(200)));
      await deliverTo(router, receiver.url);
      const body = randomBytes(size);
      const { id } = await send(router, body, form);

      for (const { headers, body: came } of await receiver.waitFor(2, 40_000)) {
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
});

describe("several of the largest bodies at once", () => {
  it("pass through one isolate within its memory, there and back", async () => {
    const measured = await routerHere({ inspector: true });
    await prepare(measured);
    const receiver = await receiverHere();
    await deliverTo(measured, receiver.url);
    const bodies = [false, false, true].map((inChunks) => {
      return { bytes: randomBytes(LARGEST), inChunks };
    });
    const { peakBytes } = await watchMemory(measured, async () => {
      const statuses = await postTogether(`${measured.url}/in/acme/large`, bodies);
      expect(statuses).toEqual([202, 202, 202]);
      await receiver.waitFor(bodies.length, 60_000);
    });
    expect(new Set(receiver.received.map(({ body }) => digest(body)))).toEqual(
      new Set(bodies.map(({ bytes }) => digest(bytes))),
    );
    // Seen: more than one whole body at once. Measured: 71 MB; 125 MB with a copy of each.
    expect(peakBytes).toBeGreaterThan(2 * LARGEST);
    expect(peakBytes).toBeLessThan(ISOLATE_BYTES_MAX - LARGEST / 2);
  }, 100_000);
});
