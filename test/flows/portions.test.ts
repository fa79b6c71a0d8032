/** A batch of many events is claimed in portions: none is too large for the ledger, and an invocation has an end. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  BATCH_BEGIN_MS_MAX,
  CLAIM_MAX,
  CONNECTIONS_MAX,
  MESSAGES_OPENED_MAX,
} from "../../src/core/limits.ts";
import { GIVEN_BACK_RETRY_SECONDS } from "../../src/flows/open-messages.ts";
import type { Archive } from "../../src/ports/archive.ts";
import type { ClaimRequest } from "../../src/ports/claim.ts";
import { frameOf, recordOf } from "../support/memory-records.ts";
import { createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, messageOf, messageOfItems, type TestMessage } from "./consumer.ts";

const EVENTS = 100;
let world: World;
let claims: ClaimRequest[];

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", { targets: { mail: {} } });
  claims = [];
});

const packs = (count: number): TestMessage[] =>
  Array.from({ length: count }, (_, pack) =>
    messageOfItems(
      ...Array.from({ length: EVENTS }, (_, at) => {
        return { content: frameOf({ key: `${pack}-${at}`, to: ["mail"] }) };
      }),
    ),
  );

/** The ledger, with each claim noted. */
const watched = () => ({
  ...world.ledger,
  claim: (request: ClaimRequest) => {
    claims.push(request);
    return world.ledger.claim(request);
  },
});

describe("a batch of many events", () => {
  it("is claimed in portions of whole messages, and delivered once each", async () => {
    const answers = await consume(world, "normal", packs(12), { ledger: watched() });
    expect(new Set(answers)).toEqual(new Set(["ack"]));
    expect(claims.map(({ firsts }) => firsts.length)).toEqual([CLAIM_MAX, CLAIM_MAX, 200]);
    expect(world.transport.sent).toHaveLength(12 * EVENTS);
    expect(world.ledger.deliveries.size).toBe(12 * EVENTS);
  });

  it("fails by portions: what was done before is acknowledged, and the rest comes again", async () => {
    let asked = 0;
    const ledger = {
      ...world.ledger,
      claim: (request: ClaimRequest) => {
        asked += 1;
        return asked === 2 ? Promise.reject(new Error("down")) : world.ledger.claim(request);
      },
    };
    const answers = await consume(world, "normal", packs(15), { ledger });
    expect(answers.map((answer) => answer === "ack")).toEqual([
      ...Array(5).fill(true),
      ...Array(10).fill(false),
    ]);
    expect(world.ledger.deliveries.size).toBe(world.transport.sent.length);
  });

  it("goes back in part when its time is over, and is delivered when it comes again", async () => {
    world.transport.answer = async () => {
      await world.clock.timer(900).elapsed;
      return response(200);
    };
    const batch = packs(20);
    const answers = await consume(world, "normal", batch, { ledger: watched() });
    const portionMs = Math.ceil(CLAIM_MAX / CONNECTIONS_MAX) * 900;
    expect(claims.length).toBeLessThanOrEqual(Math.ceil(BATCH_BEGIN_MS_MAX / portionMs) + 1);
    const left = batch.filter((_, at) => answers[at] !== "ack");
    expect(left.length).toBeGreaterThan(0);
    world.transport.answer = () => response(200);
    const again = left.map(({ body }) => messageOf(body));
    expect(new Set(await consume(world, "normal", again))).toEqual(new Set(["ack"]));
    const states = [...world.ledger.deliveries.values()].map(({ state }) => state);
    expect(states).toEqual(Array(20 * EVENTS).fill("delivered"));
    expect(world.transport.sent).toHaveLength(20 * EVENTS);
  });

  it("reads nothing from the archive of what goes back anyway", async () => {
    // Each holds its place for longer than its batch waits.
    world.transport.answer = async () => {
      await world.clock.timer(14_000).elapsed;
      return response(200);
    };
    const records = Array.from({ length: 50 }, (_, at) => recordOf({ key: `${at}`, to: ["mail"] }));
    const parcels = records.map(({ id, receipt, tenant }) => {
      const pointer = { segment: `acme/big/${id}`, offset: 0, length: 1_000_000 };
      return messageOfItems({ content: { pointer, id, receipt, tenant } });
    });
    let read = 0;
    const meta: Archive["meta"] = async ({ segment }) => {
      read += 1;
      const record = records.find(({ id }) => segment.endsWith(id));
      return record === undefined ? null : { record, bodyOffset: 0, bodyBytes: 1 };
    };
    const first = packs(CLAIM_MAX / EVENTS);
    const archive = { ...world.archive, meta };
    const answers = await consume(world, "normal", [...first, ...parcels], { archive });
    expect(read).toBeLessThan(MESSAGES_OPENED_MAX);
    expect(new Set(answers.slice(first.length))).toEqual(new Set([GIVEN_BACK_RETRY_SECONDS]));
  });

  it("opens no more connections than there are, with what an earlier portion left under way", async () => {
    world.transport.answer = async () => {
      await world.clock.timer(14_000).elapsed;
      return response(200);
    };
    await consume(world, "normal", packs(12));
    expect(world.transport.mostAtOnce).toBe(CONNECTIONS_MAX);
  });
});
