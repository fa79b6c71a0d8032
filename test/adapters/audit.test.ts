/** What both ledgers know of archived events, pointers put right, and a reconciliation over D1 and R2. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createArchive } from "../../src/adapters/archive.ts";
import { createArchiveListing } from "../../src/adapters/archive-listing.ts";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { createAudit } from "../../src/adapters/d1/audit.ts";
import { consoleLog, systemClock } from "../../src/adapters/system.ts";
import { segmentKey } from "../../src/core/archive-keys.ts";
import type { PackItem } from "../../src/core/enqueue/pack.ts";
import { subscriptionHash } from "../../src/core/ids.ts";
import { reconcile } from "../../src/flows/reconcile.ts";
import type { Audit } from "../../src/ports/audit.ts";
import type { FirstClaim } from "../../src/ports/claim.ts";
import { createMemoryAudit } from "../support/memory-audit.ts";
import type { MemoryLedger } from "../support/memory-ledger.ts";
import { boundTo, frameOf, recordOf } from "../support/memory-records.ts";
import {
  claim,
  claimFirsts,
  config,
  dueOf,
  ENDED,
  firstOf,
  freshTenant,
  freshToken,
  meter,
  resultOf,
  retrying,
  SUBJECTS,
  session,
  settledOnce,
} from "./ledgers.ts";

const ALL = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER };
const HERE = { segment: "segments/acme/2026-01-01T00/here", offset: 7, length: 9 };

const audits: Readonly<Record<string, Audit>> = {
  D1: createAudit(session),
  memory: createMemoryAudit(SUBJECTS[1]?.ledger as MemoryLedger, systemClock),
};
const subjects = SUBJECTS.map((subject) => {
  const audit = audits[subject.name];
  if (audit === undefined) throw new Error(`No audit of ${subject.name}.`);
  return { ...subject, audit };
});

describe.each(subjects)("what is known in $name", ({ ledger, audit }) => {
  /** Claimed by a consumer whose lease has ended, with these subscriptions settled. */
  async function known(first: FirstClaim, ...subscriptions: string[]): Promise<FirstClaim> {
    const token = freshToken();
    await claimFirsts(ledger, token, [first], ENDED);
    const results = subscriptions.map((subscription) => resultOf(first, { subscription }));
    if (results.length > 0) await ledger.settle(token, results, []);
    return first;
  }

  it("of an event is its owner, its place, and which subscriptions have a row", async () => {
    const first = await known(firstOf(), "s1", "s2");
    const { id, receipt, receivedAtMs, pointer } = first;
    expect(await audit.known("acme", [id, "evt_unknown"])).toEqual(
      new Map([
        [
          id,
          {
            ...{ id, receipt, receivedAtMs, pointer, isLeased: false },
            subscriptions: new Set(["s1", "s2"]),
          },
        ],
      ]),
    );
  });

  it("says whether a consumer is at work, and that nothing is settled yet", async () => {
    const first = firstOf();
    await claimFirsts(ledger, freshToken(), [first]);
    const found = (await audit.known("acme", [first.id])).get(first.id);
    expect(found).toMatchObject({ isLeased: true, subscriptions: new Set() });
  });

  it("holds in every generation, and for more events than one statement asks for", async () => {
    const day = 86_400_000;
    const firsts = [0, 20 * day, 40 * day].map((ms) => firstOf({ receivedAtMs: ms }));
    for (const first of firsts) await known(first, "s1");
    const ids = firsts.map(({ id }) => id);
    const many = [...Array.from({ length: 2_500 }, (_, at) => `evt_${at}`), ...ids];
    expect([...(await audit.known("acme", many)).keys()].sort()).toEqual(ids.sort());
    expect((await audit.known("acme", [])).size).toBe(0);
  });

  it("is nothing of another tenant's", async () => {
    const first = await known(firstOf({ tenant: freshTenant() }), "s1");
    expect((await audit.known(freshTenant(), [first.id])).size).toBe(0);
  });

  it("is walked in the order of time, each event once, page by page, within the time asked for", async () => {
    const tenant = freshTenant();
    const times = [3_000, 1_000, 2_000, 2_000, 4_000];
    const firsts = times.map((receivedAtMs) => firstOf({ tenant, receivedAtMs }));
    for (const first of firsts) await known(first, "s1", "s2");
    await known(firstOf({ tenant, receivedAtMs: 2_500 })); // of which nothing is settled
    const range = { fromMs: 2_000, untilMs: 4_000 };
    const first = await audit.settled(tenant, range, null, 2);
    const second = await audit.settled(tenant, range, first.at(-1) ?? null, 2);
    expect([first.length, second.length]).toEqual([2, 1]);
    const expected = [firsts[2], firsts[3], firsts[0]].map((each) => each?.id ?? "");
    expect([...first, ...second].map(({ id }) => id)).toEqual(expected);
    expect(second[0]).toMatchObject({ receivedAtMs: 3_000, isLeased: false });
    expect(await audit.settled(freshTenant(), ALL, null, 10)).toEqual([]);
  });

  it("is corrected where a row names the wrong place, and what is owed goes out from there", async () => {
    const tenant = freshTenant();
    const first = await settledOnce(ledger, retrying(), firstOf({ tenant }));
    await ledger.recover("me-");
    const row = (await audit.known(tenant, [first.id])).get(first.id);
    if (row === undefined) throw new Error("unknown");
    expect(await audit.repoint([{ ...row, to: HERE }])).toEqual(new Set([first.id]));
    expect(await dueOf(ledger, tenant)).toMatchObject([{ event: first.id, pointer: HERE }]);
    expect(await audit.repoint([{ ...row, to: HERE }])).toEqual(new Set());
  });

  it("is not corrected while a consumer is at work, nor for another owner or place", async () => {
    const leased = firstOf();
    await claim(ledger, freshToken(), { firsts: [leased] });
    const free = await known(firstOf(), "s1");
    const rows = await audit.known("acme", [leased.id, free.id]);
    const changes = [...rows.values()].map((row) => ({ ...row, to: HERE }));
    const wrong = changes.flatMap((each) => [
      { ...each, receipt: "rcp_other" },
      { ...each, pointer: { ...each.pointer, segment: "other" } },
      { ...each, pointer: { ...each.pointer, offset: 1 } },
    ]);
    expect(await audit.repoint(wrong)).toEqual(new Set());
    expect(await audit.repoint(changes)).toEqual(new Set([free.id]));
    expect((await audit.known("acme", [leased.id])).get(leased.id)?.pointer).toEqual(
      leased.pointer,
    );
  });
});

describe("a reconciliation over D1 and R2", () => {
  it("sends what a row is missing for, corrects a place, and names what is gone", async () => {
    const [real] = SUBJECTS;
    if (real === undefined) throw new Error("There is no ledger in D1.");
    const tenant = freshTenant();
    const revision = await real.prepare(tenant);
    const receivedAtMs = Date.now();
    const archive = createArchive(env.ARCHIVE, platformText, meter);
    const keys = ["unheard", "undelivered", "misplaced"];
    const records = keys.map((key) => recordOf({ tenant, key, receivedAtMs, to: ["sink"] }));
    const frames = records.map((record) => frameOf(record));
    const segment = segmentKey(tenant, receivedAtMs, receivedAtMs, new Uint8Array(10));
    await archive.put(
      segment,
      frames.map(({ bytes }) => bytes),
    );
    const [unheard, undelivered, misplaced] = records.map((record, at) => {
      const length = frames[at]?.bytes.length ?? 0;
      const before = frames.slice(0, at).reduce((sum, { bytes }) => sum + bytes.length, 0);
      return firstOf({ ...record, revision, pointer: { segment, offset: before, length } });
    });
    if (!unheard || !undelivered || !misplaced) throw new Error("no records");
    const subscription = subscriptionHash(boundTo("sink"), platformCrypto, platformText);
    const gone = { segment: `${segment}-gone`, offset: 0, length: 1 };
    await claimFirsts(real.ledger, freshToken(), [undelivered], ENDED);
    await settledOnce(real.ledger, { subscription }, { ...misplaced, pointer: gone });
    await settledOnce(real.ledger, {}, firstOf({ tenant, receivedAtMs, revision, pointer: gone }));
    await real.ledger.recover("me-");

    const sent: PackItem[] = [];
    const commit = { add: async (item: PackItem) => void sent.push(item) };
    const ports = {
      ...{ archive, clock: systemClock, crypto: platformCrypto, text: platformText },
      ...{ log: consoleLog, audit: createAudit(session), config },
      listing: createArchiveListing(env.ARCHIVE, platformText, meter),
      commits: { critical: commit, normal: commit, bulk: commit },
    };
    const range = { fromMs: receivedAtMs, untilMs: receivedAtMs + 1 };
    const pass = () => reconcile({ tenant, range, mend: true, cursor: null }, ports);
    expect(await pass()).toMatchObject({
      ...{ segments: 1, events: 3, known: 2, cursor: null },
      found: {
        ...{ "event-missing": 1, "delivery-missing": 1 },
        ...{ "bytes-elsewhere": 1, "bytes-missing": 1 },
      },
      mended: {
        ...{ "event-missing": 1, "delivery-missing": 1 },
        ...{ "bytes-elsewhere": 1, "bytes-missing": 0 },
      },
    });
    expect(sent.map(({ content }) => "record" in content && content.record.id)).toEqual([
      unheard.id,
      undelivered.id,
    ]);
    expect((await pass()).found["bytes-elsewhere"]).toBe(0);
  });
});
