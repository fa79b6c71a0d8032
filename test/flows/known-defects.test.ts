/**
 * What other webhook gateways on this platform get wrong (each was read in the code of one), as cases
 * that must not happen here.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { encodeHex } from "../../src/core/bytes.ts";
import { outcomeOf } from "../../src/core/deliver/outcome.ts";
import { STANDARD_LADDER } from "../../src/core/deliver/retry.ts";
import { PUBLIC_ONLY, refusedAddress } from "../../src/core/deliver/target-url.ts";
import { PRIORITIES, type Priority } from "../../src/core/priority.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createIsolate } from "../support/memory-router.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import { ACME, ALARM, createSender, ORDER, type Sender } from "./sender.ts";

let sender: Sender;

beforeEach(() => {
  sender = createSender();
});

/** A consumer takes all that a queue holds; `broken` replaces its ports. */
async function consumeAll(priority: Priority, broken: Partial<DeliverPorts> = {}): Promise<void> {
  const { world } = sender;
  const { deliver } = createIsolate(world, { broken });
  await world.clock.run(deliverBatch(priority, world.queues.take(priority, 100), deliver));
}

const received = (): readonly Sent[] => sender.world.transport.sent;
async function bytesOf({ body }: Sent): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(await new Response(body.stream).arrayBuffer());
}

describe("the idempotency key and the queue fail apart", () => {
  it("a webhook that no store took is not remembered: its repeat is accepted and delivered", async () => {
    const { world, send, accepted } = sender;
    const put = world.outbox.put;
    world.queues.refuses = true;
    world.outbox.put = () => Promise.reject(new Error("down"));
    const headers = { "x-id": "one" };
    expect(await send("acme/named", ORDER, headers)).toMatchObject({ kind: "refused" });
    world.queues.refuses = false;
    world.outbox.put = put;
    await accepted("acme/named", ORDER, headers);
    await consumeAll("normal");
    expect(received()).toHaveLength(1);
  });
});

describe("copies pass a check that reads first and writes later", () => {
  it("two copies at one moment, in two isolates, are delivered once", async () => {
    const { world, accepted } = sender;
    const isolates = [1, 2].map((seed) => createIsolate(world, { seed }));
    const headers = { "x-id": "one" };
    const events = await Promise.all(
      isolates.map(({ accept }) => accepted("acme/named", ORDER, headers, accept)),
    );
    expect(new Set(events.flat().map(({ id }) => id)).size).toBe(1);
    const batches = isolates.map(({ deliver }) =>
      deliverBatch("normal", world.queues.take("normal", 1), deliver),
    );
    await world.clock.run(Promise.all(batches));
    expect(received()).toHaveLength(1);
    expect(world.ledger.duplicates.size).toBe(1);
  });
});

describe("a body is accepted that no queue message can carry", () => {
  it.each([64_000, 130_000, 250_000])(
    "%i bytes of two-byte letters arrive as they came",
    async (size) => {
      const { world, accepted } = sender;
      const body = JSON.stringify({ kind: "order", text: "é".repeat(size / 2) });
      await accepted("acme/open", body);
      for (const { body: message } of world.queues.kept.normal.values()) {
        expect(message.length).toBeLessThanOrEqual(128_000);
      }
      await consumeAll("normal");
      const [request] = received();
      if (request === undefined) throw new Error("nothing came");
      expect((await bytesOf(request)).equals(Buffer.from(body))).toBe(true);
    },
  );
});

describe("bytes are read as text before they are verified", () => {
  it("a body that is no UTF-8 is verified and delivered byte by byte, with its sender's signature", async () => {
    const { world, accepted } = sender;
    const verify = {
      scheme: "hmac",
      header: "X-Signature",
      algorithm: "sha256",
      encoding: "hex",
      secrets: ["secret"],
    } as const;
    const rules = { all: { targets: ["mail"] } };
    world.tenants.put("bytes", { sources: { signed: { verify } }, targets: { mail: {} }, rules });
    const body = Uint8Array.of(0xff, 0xfe, 0x00, 0x80);
    const signature = encodeHex(platformCrypto.hmac("sha256", platformText.encode("secret"), body));
    await accepted("bytes/signed", body, { "x-signature": signature });
    await consumeAll("normal");
    const [request] = received();
    expect(request?.body).toEqual(body);
    expect(request?.headers.get("x-signature")).toBe(signature);
  });
});

describe("a redelivered message meets its own row", () => {
  it("after a crash it goes on where it stopped, under the same webhook-id", async () => {
    const { world, accepted } = sender;
    await accepted("acme/open", ALARM);
    const settle = () => Promise.reject(new Error("the process died"));
    await consumeAll("critical", { ledger: { ...world.ledger, settle } });
    await world.clock.advance(200_000);
    await consumeAll("critical");
    const ids = Map.groupBy(received(), ({ url }) => url);
    for (const requests of ids.values()) {
      expect(new Set(requests.map(({ headers }) => headers.get("webhook-id"))).size).toBe(1);
    }
    const states = [...world.ledger.deliveries.values()].map(({ state }) => state);
    expect(states.filter((state) => state === "delivered").length).toBeGreaterThanOrEqual(2);
    expect(world.queues.kept.critical.size).toBe(0);
  });
});

describe("one alarm serves many tasks", () => {
  it("a later retry neither delays an earlier one nor is sent with it", async () => {
    const { world, accepted } = sender;
    world.transport.answer = ({ url }) => response(503, url.includes("pager") ? 10_000 : 60_000);
    await accepted("acme/open", ALARM);
    await consumeAll("critical");
    await consumeAll("normal");
    const dueOf = (target: string) =>
      [...world.ledger.deliveries.values()].find((row) => row.target === target)?.dueAtMs ?? 0;
    expect(dueOf("mail") - dueOf("pager")).toBeGreaterThan(30_000);
    const before = received().length;
    await world.clock.advance(dueOf("pager") - world.clock.nowMs() + 1_000);
    for (const priority of PRIORITIES) await consumeAll(priority);
    expect(
      received()
        .slice(before)
        .map(({ url }) => new URL(url).host),
    ).toEqual(["pager.example.com"]);
  });
});

describe("a revoked secret lives on in an isolate", () => {
  it("it is refused from the next second on, and its successor is accepted beside it before", async () => {
    const { world, accepted, refused } = sender;
    const key = (keys: string[]) => ({
      ...ACME,
      sources: { keyed: { verify: { scheme: "api-key", header: "X-Key", keys } as const } },
    });
    const replace = (keys: string[]) => {
      const { revision } = world.tenants.put("acme", key(keys));
      return world.limiter.announce("acme", revision);
    };
    await replace(["old", "new"]);
    await accepted("acme/keyed", ORDER, { "x-key": "old" });
    await accepted("acme/keyed", ORDER, { "x-key": "new" });
    await replace(["new"]);
    await world.clock.advance(1_001);
    expect(await refused("acme/keyed", ORDER, { "x-key": "old" })).toMatchObject({
      slug: "signature-invalid",
    });
    await accepted("acme/keyed", ORDER, { "x-key": "new" });
  });
});

describe("a limit is kept in memory", () => {
  it("a new isolate does not begin with a full bucket", async () => {
    const { world, accepted, refused } = sender;
    await accepted("acme/limited", ORDER);
    await accepted("acme/limited", ORDER);
    const { accept } = createIsolate(world, { seed: 2 });
    expect(await refused("acme/limited", ORDER, {}, accept)).toMatchObject({
      slug: "rate-limited",
    });
  });
});

describe("a target leads into the private network", () => {
  it.each([
    "http://127.1/",
    "https://0x7f.0.0.1/",
    "https://2130706433/",
    "https://[::ffff:169.254.169.254]/",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.8/",
    "https://localhost./",
  ])("%s is refused in any spelling", (address) => {
    expect(refusedAddress(new URL(address), PUBLIC_ONLY)).not.toBeNull();
  });

  it("a redirect is a failure, never a way there", () => {
    const answer = { kind: "response", status: 302, retryAfterMs: null, body: "" } as const;
    expect(outcomeOf(answer, 1, STANDARD_LADDER, 0)).toMatchObject({
      state: "retrying",
      error: expect.stringContaining("redirects are not followed"),
    });
  });
});
