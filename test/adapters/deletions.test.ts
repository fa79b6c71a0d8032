/** Tenants that are deleted, in D1 and in memory: who may still claim, and what a removal takes and leaves. */
import { describe, expect, it } from "vitest";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { createJobs } from "../../src/adapters/d1/jobs.ts";
import { createSagaJobs } from "../../src/adapters/d1/saga-jobs.ts";
import { segmentKey } from "../../src/core/archive-keys.ts";
import { type FirstClaim, firstKey, keyOf } from "../../src/ports/claim.ts";
import type { Deletion } from "../../src/ports/deletions.ts";
import type { Ledger } from "../../src/ports/ledger.ts";
import {
  againOf,
  claimFirsts,
  config,
  dueOf,
  firstOf,
  freshTenant,
  freshToken,
  resultOf,
  retrying,
  SUBJECTS,
  type Subject,
  session,
} from "./ledgers.ts";

/** A claim of what there is, without making its tenants first. */
async function verdictOf(ledger: Ledger, first: FirstClaim, token = freshToken()) {
  const request = { token, leaseSeconds: 90, firsts: [first], agains: [], tenants: [] };
  return (await ledger.claim(request)).firsts.get(firstKey(first));
}

async function ownsAgain(ledger: Ledger, first: FirstClaim): Promise<boolean> {
  const agains = [againOf(first)];
  const request = { token: freshToken(), leaseSeconds: 90, firsts: [], agains, tenants: [] };
  return (await ledger.claim(request)).agains.size > 0;
}

/** An event that failed once, accepted in the tenant's present life. */
async function failedOnce(
  ledger: Ledger,
  tenant: string,
  revision: number,
  sketch: Partial<FirstClaim> = {},
): Promise<FirstClaim> {
  const [first, token] = [firstOf({ tenant, revision, ...sketch }), freshToken()];
  expect(await verdictOf(ledger, first, token)).toMatchObject({ kind: "claimed" });
  await ledger.settle(token, [resultOf(first, retrying())], []);
  return first;
}

let last = 0;
async function deleted(subject: Subject, tenant: string): Promise<string> {
  last += 1;
  const job = `job_deleted_${String(last).padStart(4, "0")}`;
  await subject.deleteTenant(tenant, job);
  return job;
}

async function deletionOf(subject: Subject, job: string): Promise<Deletion | undefined> {
  return (await subject.deletions.running(1_000)).find((each) => each.job === job);
}

async function running(subject: Subject, job: string): Promise<Deletion> {
  const found = await deletionOf(subject, job);
  if (found === undefined) throw new Error(`${job} is not running`);
  return found;
}

describe.each(SUBJECTS)("an event in $name", (subject) => {
  const { ledger } = subject;

  it("of no tenant is gone, and its delivery is given to nobody", async () => {
    const tenant = freshTenant();
    const revision = await subject.prepare(tenant);
    const first = await failedOnce(ledger, tenant, revision);
    await deleted(subject, tenant);
    expect(await verdictOf(ledger, first)).toEqual({ kind: "gone" });
    expect(await verdictOf(ledger, firstOf({ tenant, revision }))).toEqual({ kind: "gone" });
    expect(await ownsAgain(ledger, first)).toBe(false);
  });

  it("of a life that ended is gone although the tenant exists again", async () => {
    const tenant = freshTenant();
    const first = await failedOnce(ledger, tenant, await subject.prepare(tenant));
    const unclaimed = firstOf({ tenant, revision: first.revision });
    await deleted(subject, tenant);
    const revision = await subject.prepare(tenant);
    expect(await verdictOf(ledger, first)).toEqual({ kind: "gone" });
    expect(await verdictOf(ledger, unclaimed)).toEqual({ kind: "gone" });
    expect(await ownsAgain(ledger, first)).toBe(false);
    const own = await failedOnce(ledger, tenant, revision);
    expect(await ownsAgain(ledger, own)).toBe(true);
  });

  it("of this life is no copy of one of the same id from a life that ended, in whichever generation", async () => {
    for (const laterMs of [1_000, 15 * 86_400_000]) {
      const tenant = freshTenant();
      const old = await failedOnce(ledger, tenant, await subject.prepare(tenant));
      await deleted(subject, tenant);
      const revision = await subject.prepare(tenant);
      const receivedAtMs = old.receivedAtMs + laterMs;
      const first = firstOf({ id: old.id, tenant, revision, receivedAtMs });
      expect(await verdictOf(ledger, first)).toEqual({
        kind: "claimed",
        done: new Set(),
        isUnplaced: false,
      });
      expect(await verdictOf(ledger, first)).toMatchObject({ kind: "leased" });
      const copy = firstOf({ id: old.id, tenant, revision, receivedAtMs });
      expect(await verdictOf(ledger, copy)).toEqual({ kind: "duplicate", owner: first.receipt });
    }
  });

  it("that was claimed before its tenant was deleted is not settled any more, made anew or not", async () => {
    const tenant = freshTenant();
    const [first, token] = [
      firstOf({ tenant, revision: await subject.prepare(tenant) }),
      freshToken(),
    ];
    expect(await verdictOf(ledger, first, token)).toMatchObject({ kind: "claimed" });
    const result = resultOf(first, retrying());
    const claimedAtMs = Date.now();
    await expect.poll(Date.now).toBeGreaterThan(claimedAtMs);
    await deleted(subject, tenant);
    expect((await ledger.settle(token, [result], [])).refused).toEqual(new Set([keyOf(result)]));
    await subject.prepare(tenant);
    expect((await ledger.settle(token, [result], [])).refused).toEqual(new Set([keyOf(result)]));
    expect(await dueOf(ledger, tenant)).toEqual([]);
  });

  it("of others is claimed in the same batch as one that is gone", async () => {
    const [tenant, other] = [freshTenant(), freshTenant()];
    const revision = await subject.prepare(other);
    const firsts = [firstOf({ tenant, revision }), firstOf({ tenant: other, revision })];
    const token = freshToken();
    const request = { token, leaseSeconds: 90, firsts, agains: [], tenants: [tenant, other] };
    const answer = await ledger.claim(request);
    const kinds = firsts.map((first) => answer.firsts.get(firstKey(first))?.kind);
    expect(kinds).toEqual(["gone", "claimed"]);
  });
});

describe.each(SUBJECTS)("a removal in $name", (subject) => {
  const { ledger, deletions, archive } = subject;

  const putSegment = async (tenant: string): Promise<string> => {
    last += 1;
    const key = segmentKey(tenant, Date.UTC(2026, 0, 1), last, new Uint8Array(10));
    await archive.put(key, [new Uint8Array(1)]);
    return key;
  };
  const isThere = async (key: string) => (await archive.stream(key, 0, 1)) !== null;

  it("is asked for by the deletion itself, and no longer when it is done", async () => {
    const tenant = freshTenant();
    const revision = await subject.prepare(tenant);
    await expect.poll(Date.now).toBeGreaterThan(revision);
    const job = await deleted(subject, tenant);
    const deletion = await running(subject, job);
    expect(deletion).toMatchObject({ tenant, existsAgain: false });
    expect(deletion.revision).toBeGreaterThan(revision);
    expect(deletion.ageMs).toBeLessThan(60_000);
    const remover = await deletions.remover();
    await remover.note(job, 3, false);
    expect(await deletionOf(subject, job)).toBeDefined();
    await remover.note(job, 1, true);
    expect(await deletionOf(subject, job)).toBeUndefined();
  });

  it("takes deliveries, events, copies and objects, page by page, and another tenant's never", async () => {
    const [tenant, other] = [freshTenant(), freshTenant()];
    const revisions = new Map<string, number>();
    for (const each of [tenant, other]) revisions.set(each, await subject.prepare(each));
    const mine: FirstClaim[] = [];
    for (const each of [tenant, tenant, tenant, other]) {
      const first = await failedOnce(ledger, each, revisions.get(each) ?? 0);
      const copy = { event: first.id, receipt: "rcp_copy", receivedAtMs: 1, reason: "duplicate" };
      await ledger.settle(freshToken(), [], [copy]);
      mine.push(first);
    }
    const keys = [await putSegment(tenant), await putSegment(other)];
    const job = await deleted(subject, tenant);
    // What was stored in the same millisecond is left for the next pass.
    await expect.poll(async () => (await running(subject, job)).ageMs).toBeGreaterThan(2);
    const deletion = await running(subject, job);
    const remover = await deletions.remover();
    expect(await remover.rows(deletion, 2)).toEqual({ removed: 2, more: true });
    expect(await remover.rows(deletion, 2)).toEqual({ removed: 1, more: false });
    expect(await remover.rows(deletion, 2)).toEqual({ removed: 0, more: false });
    expect(await remover.objects(deletion, 10)).toEqual({ removed: 1, more: false });
    expect(await Promise.all(keys.map(isThere))).toEqual([false, true]);
    expect(await dueOf(ledger, tenant)).toEqual([]);
    expect(await dueOf(ledger, other)).toHaveLength(1);
    const copies = await Promise.all(mine.map(({ id }) => subject.copiesOf(id)));
    expect(copies).toEqual([[], [], [], ["rcp_copy"]]);
    // A claim tells that the events themselves are not there, either.
    const [first] = mine;
    if (first === undefined) throw new Error("nothing was removed");
    await subject.prepare(tenant);
    const again = firstOf({ id: first.id, tenant });
    expect(await verdictOf(ledger, again)).toEqual({
      kind: "claimed",
      done: new Set(),
      isUnplaced: false,
    });
  });

  it("leaves all of a tenant that exists again, and takes what its life before left, whatever they are dated", async () => {
    const [tenant, hourMs] = [freshTenant(), 3_600_000];
    const ahead = { receivedAtMs: Date.now() + hourMs };
    await failedOnce(ledger, tenant, await subject.prepare(tenant), ahead);
    const old = await putSegment(tenant);
    const storedAtMs = Date.now();
    await expect.poll(Date.now).toBeGreaterThan(storedAtMs);
    const job = await deleted(subject, tenant);
    const revision = await subject.prepare(tenant);
    const own = firstOf({ tenant, revision, receivedAtMs: Date.now() - hourMs });
    const token = freshToken();
    expect(await verdictOf(ledger, own, token)).toMatchObject({ kind: "claimed" });
    await ledger.settle(token, [resultOf(own, retrying())], []);
    const deletion = await running(subject, job);
    expect(deletion.existsAgain).toBe(true);
    const key = await putSegment(tenant);
    const remover = await deletions.remover();
    expect(await remover.rows(deletion, 10)).toEqual({ removed: 1, more: false });
    expect(await remover.objects(deletion, 10)).toEqual({ removed: 1, more: false });
    expect([await isThere(old), await isThere(key)]).toEqual([false, true]);
    expect(await ownsAgain(ledger, own)).toBe(true);
  });

  it("is harmless when it comes again, late or twice at once", async () => {
    const tenant = freshTenant();
    const revision = await subject.prepare(tenant);
    for (let at = 0; at < 3; at += 1) await failedOnce(ledger, tenant, revision);
    const job = await deleted(subject, tenant);
    await expect.poll(async () => (await running(subject, job)).ageMs).toBeGreaterThan(0);
    const deletion = await running(subject, job);
    const remover = await deletions.remover();
    const pages = await Promise.all([remover.rows(deletion, 10), remover.rows(deletion, 10)]);
    expect(pages.reduce((sum, { removed }) => sum + removed, 0)).toBe(3);
    expect(await remover.rows(deletion, 10)).toEqual({ removed: 0, more: false });
  });
});

describe("jobs in D1", () => {
  const jobs = createJobs(session);
  const history = createHistory(session);
  const RANGE = { fromMs: 0, toMs: 2 ** 52 };
  const [{ ledger }] = SUBJECTS as [Subject];

  /** Events of one delivery each, which is dead. */
  async function deadLetters(tenant: string, count: number): Promise<FirstClaim[]> {
    const token = freshToken();
    const firsts = Array.from({ length: count }, () => firstOf({ tenant }));
    await claimFirsts(ledger, token, firsts);
    const results = firsts.map((first) => resultOf(first, { state: "dead" }));
    expect((await ledger.settle(token, results, [])).refused).toEqual(new Set());
    return firsts;
  }

  it("are not begun by a deletion that is refused, or of a tenant that there is not", async () => {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    expect(await config.deleteTenant(tenant, 7, "job_refused")).toMatchObject({
      kind: "version-differs",
    });
    expect(await config.tenant(tenant)).not.toBeNull();
    expect(await config.deleteTenant("nobody", null, "job_refused")).toEqual({
      kind: "tenant-unknown",
    });
    expect(await jobs.job(tenant, "job_refused")).toBeNull();
  });

  it("of a life that is over have no command id that the next one could ask for", async () => {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    const sagaJobs = createSagaJobs(session);
    const command = { kind: "pause", reason: "a test" } as const;
    const job = { tenant, id: "job_of_before", command, query: {} };
    const as = { commandId: "c-1", hash: "h" };
    expect(await sagaJobs.create(job, 1, as)).toBe(true);
    await config.deleteTenant(tenant, 99, "job_not_begun");
    expect(await sagaJobs.asked(tenant, "c-1")).toMatchObject({ id: "job_of_before" });
    await config.deleteTenant(tenant, null, "job_begun");
    await config.putTenant(tenant, "{}", null);
    expect(await sagaJobs.asked(tenant, "c-1")).toBeNull();
    expect(await sagaJobs.create({ ...job, id: "job_of_now" }, 1, as)).toBe(true);
  });

  it("are listed newest first, of all tenants, in pages, by state", async () => {
    const [tenant, other] = [freshTenant(), freshTenant()];
    for (const each of [tenant, other]) await config.putTenant(each, "{}", null);
    await history.redriveAll(tenant, "job_zz1", RANGE, null);
    await config.deleteTenant(tenant, null, "job_zz2");
    await config.deleteTenant(other, null, "job_zz3");
    const first = await jobs.jobs(undefined, null, 2);
    expect(first.items).toMatchObject([
      { id: "job_zz3", tenant: other, kind: "delete-tenant", state: "running", removed: 0 },
      { id: "job_zz2", tenant, state: "running" },
    ]);
    const second = await jobs.jobs(undefined, first.after, 1);
    expect(second.items).toMatchObject([{ id: "job_zz1", kind: "redrive", state: "done" }]);
    const runningOnes = await jobs.jobs("running", null, 1_000);
    expect(new Set(runningOnes.items.map(({ state }) => state))).toEqual(new Set(["running"]));
    expect(await jobs.job(other, "job_zz2")).toBeNull();
    expect(await jobs.job(tenant, "job_zz2")).toMatchObject({ id: "job_zz2" });
  });

  it("that redrive tell what they took although their process ended between two pages", async () => {
    const tenant = freshTenant();
    await deadLetters(tenant, 501);
    let pages = 0;
    const batch: typeof session.batch = (...asked) => {
      pages += 1;
      return pages === 1 ? session.batch(...asked) : Promise.reject(new Error("cut off"));
    };
    const redriving = createHistory({ ...session, batch }).redriveAll(
      tenant,
      "job_cut",
      RANGE,
      null,
    );
    await expect(redriving).rejects.toThrow("cut off");
    expect(await jobs.job(tenant, "job_cut")).toMatchObject({
      ...{ total: 500, state: "running", states: { pending: 500 } },
    });
  });

  it("that redrive run as long as one of their deliveries is under way", async () => {
    const tenant = freshTenant();
    const [first] = await deadLetters(tenant, 1);
    if (first === undefined) throw new Error("there is no dead letter");
    const job = await history.redriveAll(tenant, "job_zz0", RANGE, null);
    expect(job).toMatchObject({ total: 1, state: "running", states: { pending: 1 } });
    await ledger.bury([againOf(first)], "given up");
    expect(await jobs.job(tenant, "job_zz0")).toMatchObject({ state: "done", states: { dead: 1 } });
  });
});
