/** One attempt: what leaves for the target, and what is recorded of its answer. */
import { generateKeyPairSync, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeBase64 } from "../../src/core/bytes.ts";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import { signingKeysOf } from "../../src/core/deliver/signing-keys.ts";
import { deliveryId } from "../../src/core/ids.ts";
import { bytesOfStream } from "../support/memory-archive.ts";
import { frameOf, type RecordSketch } from "../support/memory-records.ts";
import { createWorld, type World } from "../support/memory-router.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import { consume, messageOfItems, messageWith, rowOf } from "./consumer.ts";

const SECRETS = [1, 2].map((byte) => `whsec_${encodeBase64(new Uint8Array(32).fill(byte))}`);

const pair = generateKeyPairSync("ed25519");
const halves = pair.privateKey.export({ format: "jwk" });
const PAIR = {
  publicKey: pair.publicKey,
  secret: `whsk_${Buffer.concat([halves.d, halves.x].map((half) => Buffer.from(half ?? "", "base64url"))).toString("base64")}`,
};

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", {
    targets: {
      plain: { headers: { "x-region": "eu" } },
      signed: { secret: SECRETS[0] ?? "" },
    },
  });
  // The SDK compares the signed time with the system's own clock.
  vi.useFakeTimers({ toFake: ["Date"], now: world.clock.nowMs() });
});

afterEach(() => void vi.useRealTimers());

/** Delivers an event to its targets; answers the last request that left. */
async function deliver(sketch: RecordSketch, body = '{"a":1}'): Promise<Sent> {
  await consume(world, "normal", [messageWith(sketch, body)]);
  return lastSent();
}

/** The same for an event whose frame rests in the archive. */
async function deliverArchived(sketch: RecordSketch, body = '{"a":1}'): Promise<Sent> {
  const { record, bytes } = frameOf(sketch, body);
  const pointer = { segment: "acme/big/1", offset: 0, length: bytes.length };
  await world.archive.put(pointer.segment, [bytes]);
  const { id, receipt, tenant } = record;
  await consume(world, "normal", [messageOfItems({ content: { pointer, id, receipt, tenant } })]);
  return lastSent();
}

function lastSent(): Sent {
  const sent = world.transport.sent.at(-1);
  if (sent === undefined) throw new Error("nothing was sent");
  return sent;
}

async function textOf({ body }: Sent): Promise<string> {
  const bytes = body instanceof Uint8Array ? body : await bytesOfStream(body.stream);
  return Buffer.from(bytes).toString();
}

describe.each([
  ["in its message", deliver],
  ["in the archive", deliverArchived],
])("an event %s", (_, deliverIt) => {
  it("is sent with the sender's own bytes to the target's address", async () => {
    const sent = await deliverIt({ to: ["plain"] }, '{ "a": 1.0 }');
    expect(sent.url).toBe("https://plain.example.com/");
    expect(await textOf(sent)).toBe('{ "a": 1.0 }');
    expect(sent.headers.get("x-region")).toBe("eu");
  });

  it("is signed so that the receiver's SDK verifies it", async () => {
    const sent = await deliverIt({ to: ["signed"] });
    const headers = Object.fromEntries(sent.headers);
    const [secret = "", other = ""] = SECRETS;
    const payload = await textOf(sent);
    expect(new Webhook(secret).verify(payload, headers)).toEqual({ a: 1 });
    expect(() => new Webhook(other).verify(payload, headers)).toThrow();
    expect(() => new Webhook(secret).verify(`${payload} `, headers)).toThrow();
  });

  it("is signed once for each secret, and not at all without one", async () => {
    const both = { signingKeys: signingKeysOf({ values: SECRETS }) };
    world.tenants.put("acme", { targets: { both, plain: {} } });
    const { headers } = await deliverIt({ key: "both", to: ["both"] });
    expect(headers.get("webhook-signature")?.split(" ")).toHaveLength(2);
    for (const secret of SECRETS) {
      expect(new Webhook(secret).verify('{"a":1}', Object.fromEntries(headers))).toEqual({ a: 1 });
    }
    expect((await deliverIt({ key: "none", to: ["plain"] })).headers.has("webhook-signature")).toBe(
      false,
    );
  });

  it("is signed by a key pair beside a secret, so that the public half verifies it", async () => {
    const values = [SECRETS[0] ?? "", PAIR.secret];
    world.tenants.put("acme", { targets: { pair: { signingKeys: signingKeysOf({ values }) } } });
    const sent = await deliverIt({ to: ["pair"] }, '{"a":2}');
    const [id, seconds] = ["webhook-id", "webhook-timestamp"].map((name) => sent.headers.get(name));
    const [first, second = ""] = sent.headers.get("webhook-signature")?.split(" ") ?? [];
    expect(first).toMatch(/^v1,/);
    expect(second).toMatch(/^v1a,/);
    const signature = Buffer.from(second.slice(4), "base64");
    const isBy = (text: string) => verify(null, Buffer.from(text), PAIR.publicKey, signature);
    expect(isBy(`${id}.${seconds}.{"a":2}`)).toBe(true);
    expect(isBy(`${id}.${seconds}.{"a":3}`)).toBe(false);
  });

  it("is signed by no secret whose time is over, and by none is not sent at all", async () => {
    const now = new Date(world.clock.nowMs()).toISOString();
    const secrets = { values: SECRETS, notAfter: [now, "2026-01-01T00:00:01+00:00"] };
    const target = { signingKeys: signingKeysOf(secrets), retry: { delaysSeconds: [5] } };
    world.tenants.put("acme", { targets: { turning: target } });
    const count = async (key: string) =>
      (await deliverIt({ key, to: ["turning"] })).headers.get("webhook-signature")?.split(" ")
        .length;
    expect(await count("first")).toBe(2);
    await world.clock.advance(1);
    expect(await count("second")).toBe(1);
    await world.clock.advance(1_000);
    await count("third");
    expect(world.transport.sent).toHaveLength(2);
    expect(rowOf(world, { key: "third" }, "turning")).toMatchObject({
      state: "retrying",
      lastError: "network: each signing secret of the target has expired",
    });
  });

  it("with an empty body is sent as such", async () => {
    expect(await textOf(await deliverIt({ to: ["plain"] }, ""))).toBe("");
  });
});

describe("a target with proof of who calls", () => {
  it("gets it at every attempt, in place of what the sender sent by that name", async () => {
    const auth = { scheme: "api-key", header: "X-Pass", key: "k1" } as const;
    world.tenants.put("acme", { targets: { keyed: { auth } } });
    world.transport.answer = () => response(500);
    const sketch: RecordSketch = { to: ["keyed"], headers: [["x-pass", "the sender's"]] };
    await deliver(sketch);
    await world.clock.advance(6_000);
    const again = [{ rule: "orders", target: "keyed", attempts: 1 }];
    await consume(world, "normal", [messageOfItems({ content: frameOf(sketch), again })]);
    expect(world.transport.sent.map(({ headers }) => headers.get("x-pass"))).toEqual(["k1", "k1"]);
  });
});

describe("every attempt of one delivery", () => {
  it("has the same webhook-id, its own time and its own number", async () => {
    world.transport.answer = () => response(500);
    await deliver({ to: ["plain"] });
    await world.clock.advance(6_000);
    const again = [{ rule: "orders", target: "plain", attempts: 1 }];
    await consume(world, "normal", [
      messageOfItems({ content: frameOf({ to: ["plain"] }), again }),
    ]);
    const row = rowOf(world, {}, "plain");
    const id = deliveryId(row?.event ?? "", row?.subscription ?? "");
    const seen = world.transport.sent.map(({ headers }) =>
      ["webhook-id", "webhook-timestamp", "signalbox-attempt"].map((name) => headers.get(name)),
    );
    const seconds = Date.UTC(2026, 0, 1) / 1_000;
    expect(seen).toEqual([
      [id, String(seconds), "1"],
      [id, String(seconds + 6), "2"],
    ]);
  });
});

describe("a body that is too big to be held whole", () => {
  it("is signed by a secret, and by a key pair not: its delivery is dead and says why", async () => {
    const big = "x".repeat(5_000_001);
    const keys = (...values: string[]) => ({ signingKeys: signingKeysOf({ values }) });
    world.tenants.put("acme", {
      targets: { secret: keys(SECRETS[0] ?? ""), pair: keys(SECRETS[0] ?? "", PAIR.secret) },
    });
    await deliverArchived({ to: ["secret", "pair"] }, big);
    expect(world.transport.sent.map(({ url }) => url)).toEqual(["https://secret.example.com/"]);
    expect(rowOf(world, {}, "pair")).toMatchObject({
      state: "dead",
      lastError: "not signed: a body of more than 5000000 bytes is not signed by Ed25519",
    });
  });
});

describe("what is recorded", () => {
  it.each<[Answer, object]>([
    [response(204), { status: 204, error: null, answer: "" }],
    [response(500), { status: 500, error: "status 500" }],
    [
      { kind: "timeout" },
      { status: null, error: "timeout: no complete answer in time", answer: null },
    ],
    [
      { kind: "network", detail: "reset" },
      { status: null, error: "network: reset", answer: null },
    ],
    [
      { kind: "refused", detail: "private" },
      { status: null, error: "refused: private" },
    ],
  ])("of %j is its status, error and answer", async (answer, record) => {
    world.transport.answer = async () => {
      await world.clock.timer(1_234).elapsed;
      return answer;
    };
    await deliver({ to: ["plain"] });
    const row = rowOf(world, {}, "plain");
    expect(row?.log).toMatchObject([
      { number: 1, at: "2026-01-01T00:00:00.000Z", durationMs: 1_234, ...record },
    ]);
    expect(row?.lastStatus).toBe(row?.log[0]?.status ?? null);
  });

  it("in the log of a failure is no header, body or answer", async () => {
    world.transport.answer = () => ({ ...response(500), body: "s3cret answer" }) as Answer;
    await deliver({ to: ["signed"], headers: [["x-a", "s3cret header"]] }, '"s3cret body"');
    expect(world.log.of("delivery-failed")).toHaveLength(1);
    expect(JSON.stringify(world.log.lines)).not.toMatch(/s3cret|whsec|v1,/);
  });

  it("in the log of a success is nothing", async () => {
    await deliver({ to: ["plain"] });
    expect(world.log.lines).toEqual([]);
  });
});

describe("a target whose secrets are locked", () => {
  it("is sent nothing unsigned: the attempt failed, and another follows", async () => {
    world.tenants.put("acme", { targets: { locked: { isLocked: true } } });
    await consume(world, "normal", [messageWith({ to: ["locked"] })]);
    expect(world.transport.sent).toEqual([]);
    expect(rowOf(world, {}, "locked")).toMatchObject({
      state: "retrying",
      lastError: "network: the target's secrets are locked",
    });
  });
});
