/** Checks of what is left when all is quiet: nothing promised is missing, and nothing ended without a reason. */
import { platformText } from "../../src/adapters/crypto.ts";
import { prefixesOf } from "../../src/core/archive-keys.ts";
import { BATCH_UNANSWERED_MAX } from "../../src/core/batch/limits.ts";
import { decodeFrame } from "../../src/core/enqueue/record.ts";
import { elementId } from "../../src/core/fan-out/element.ts";
import { FAN_OUT } from "../../src/core/priority.ts";
import { SAGA_HOPS_MAX } from "../../src/core/saga/limits.ts";
import { CANCELLED } from "../../src/flows/fan-out-page.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { FanOut } from "../../src/ports/fan-outs.ts";
import type { DeliveryResult } from "../../src/ports/ledger.ts";
import type { DeletionJob } from "../support/memory-deletions.ts";
import type { DeliveryRow, EventRow } from "../support/memory-ledger.ts";
import { rememberingCrypto, subscriptionOf, webhookIdOf } from "./names.ts";
import type { Scenario } from "./scenario.ts";
import type { Stores } from "./stores.ts";
import { PULL } from "./tenants.ts";
import type { WatchedAttempt } from "./watch-attempts.ts";

const ENDED: readonly DeliveryResult["state"][] = [
  ...(["delivered", "dead", "parked", "cancelled", "unmatched"] as const),
];

export function checkEnd(stores: Stores, scenario: Scenario, poisoned: number): void {
  const { acceptance, ledger, archive, deletions, fanOuts, removals, violations } = stores;
  for (const receipt of acceptance.promised) {
    const record = acceptance.records.get(receipt);
    if (record === undefined || isDeleted(record.tenant)) continue;
    const owner = ledger.events.get(record.id);
    if (owner === undefined) {
      violations.add(`${record.id} was answered 202 and is nowhere`, record.id);
    } else if (owner.receipt !== receipt) {
      const copy = ledger.duplicates.get(`${record.id} ${receipt}`);
      if (copy === undefined || !copy.reason.includes(owner.receipt)) {
        violations.add(`a copy of ${record.id} is suppressed without a reason`, record.id);
      }
    }
  }
  for (const event of ledger.events.values()) {
    if (isDeleted(event.tenant)) continue;
    checkEvent(event.id, event.receipt);
    checkBytes(event);
  }
  for (const row of ledger.deliveries.values()) {
    if (!isDeleted(row.tenant)) checkRow(stores, scenario, row);
  }
  for (const fanOut of fanOuts.store.rows.values()) {
    if (!isDeleted(fanOut.tenant)) checkFanOut(fanOut);
  }
  for (const job of deletions.jobs.values()) if (job.isDone) checkRemoved(job);
  // A queue that forgets may have forgotten it.
  const mayForget = stores.weather.mode === "always";
  if (!mayForget && archive.poison.size < poisoned)
    violations.add("bytes that nobody could read are not kept");

  function isDeleted(tenant: string): boolean {
    return scenario.tenants.get(tenant)?.isDeleted === true;
  }

  /** Every element of the list became an event, and no other did. */
  function checkFanOut({ id, event, state, total, sent }: FanOut): void {
    const list = acceptance.webhookOf(event)?.list ?? [];
    const fail = (what: string): void => violations.add(`${id}: ${what}`, event);
    if (state !== "done" && state !== "cancelled") fail(`is ${state}`);
    if (total !== list.length || (sent !== total && state === "done"))
      fail(`${sent} of ${total} elements are sent, the list has ${list.length}`);
    for (let index = 0; index < sent; index += 1) {
      const element = elementId(id, index, { crypto: rememberingCrypto, text: platformText });
      if (!ledger.events.has(element)) fail(`element ${index} is nowhere`);
    }
  }

  function checkRemoved(job: DeletionJob): void {
    const { tenant } = job;
    const rows = [...ledger.deliveries.values()].filter((row) => row.tenant === tenant);
    const objects = prefixesOf(tenant).flatMap((prefix) =>
      [...archive.objects.keys()].filter((key) => {
        const storedAtMs = archive.storedAtMs.get(key) ?? 0;
        return key.startsWith(prefix) && !removals.isOfSleeper(key, storedAtMs, job);
      }),
    );
    if (rows.length + objects.length === 0) return;
    violations.add(
      `${tenant} was removed, and ${rows.length} rows, ${objects.length} objects are left`,
    );
  }

  /** The bytes of an event rest where its row says. */
  function checkBytes({ id, receipt, pointer: { segment, offset, length } }: EventRow): void {
    const bytes = archive.objects.get(segment)?.subarray(offset, offset + length);
    const frame = bytes === undefined ? null : decodeFrame(bytes, 0, platformText);
    if (frame?.record.receipt !== receipt) violations.add(`${id} is not where its row says`, id);
  }

  /** Every delivery of an event that is known has a row. */
  function checkEvent(id: string, receipt: string): void {
    const record = acceptance.records.get(receipt);
    if (record === undefined) violations.add(`${id} comes from nowhere`, id);
    const owed = (record?.subscriptions ?? []).map(({ rule, target }) =>
      subscriptionOf(rule, target),
    );
    for (const subscription of owed.length === 0 ? [""] : owed) {
      if (ledger.deliveries.has(`${id} ${subscription}`)) continue;
      const what =
        subscription === "" ? "nothing says that no rule wanted it" : "a delivery is missing";
      violations.add(`${id} was accepted and ${what}`, id);
    }
  }
}

/** The delivery of a list: it is fanned out, or says why it is not. */
function checkList(
  { event, rule, state, lastError }: DeliveryRow,
  { acceptance, fanOuts, weather }: Stores,
  fail: (what: string) => void,
): void {
  const isBegun = [...fanOuts.store.rows.values()].some((each) => {
    return each.event === event && each.rule === rule;
  });
  if ((state === "delivered") !== isBegun && state !== "dead")
    fail(`is ${state}, begun: ${isBegun}`);
  if (state === "delivered") return;
  const isNoList = acceptance.webhookOf(event)?.list === null;
  const isExplained =
    (isNoList && lastError?.includes("there is nothing at $.data.list") === true) ||
    lastError?.includes("no list any more") === true ||
    (lastError?.includes("crashed too often") === true && weather.retriesMax < 100);
  if (state !== "dead" || !isExplained) fail(`is ${state}: ${lastError}`);
}

/** What counts as published is an event that is known, and what is not has made none without a doubt about it. */
function checkPublished(
  { event, rule, target, state, lastError }: DeliveryRow,
  { acceptance, ledger }: Stores,
  fail: (what: string) => void,
): void {
  const delivery = webhookIdOf(event, rule, target);
  if (acceptance.deliveryOf(delivery) === undefined) return;
  const published = acceptance.publishedOf(delivery);
  const isThere = published?.isDurable === true && ledger.events.has(published.event);
  if (state === "delivered" && !isThere) fail("was published, and the new event is nowhere");
  if (published !== null && lastError?.includes("have led to it")) fail("went in a circle");
}

/** It was acknowledged once, or is a dead letter that says why, or waits while its target is closed. */
function checkPulled(
  row: DeliveryRow,
  { pullWatch, tenants, weather }: Stores,
  fail: (what: string) => void,
): void {
  const { state, lastError, tenant, target } = row;
  const { isDone = false, leases = 0 } = pullWatch.of(keyOf(row)) ?? {};
  if (isDone !== (state === "delivered")) fail(`is ${state}, acknowledged: ${isDone}`);
  if (state === "parked" && tenants.isOpen(tenant, target)) fail("is left to its reader");
  if (state !== "dead") return;
  const isSpent = lastError?.endsWith("attempts exhausted") && leases >= PULL.attemptsMax;
  const isExplained =
    isSpent ||
    lastError?.includes("deliveries wait for their reader already") ||
    (lastError?.includes("crashed too often") && weather.retriesMax < 100);
  if (!isExplained) fail(`is dead after ${leases} leases: ${lastError}`);
}

/** Its fan-out was cancelled, and that is why. */
function isOfCancelled({ event, lastError, tenant }: DeliveryRow, { acceptance, fanOuts }: Stores) {
  const fanOut = fanOuts.store.rows.get(`${tenant} ${acceptance.fanOutOf(event)}`);
  return fanOut?.state === "cancelled" && lastError === CANCELLED;
}

/**
 * A breaker asks a receiver that is down for good more and more seldom; whatever its gate parked before, for whichever
 * reason, waits behind.
 */
export const waitsForLost = (
  { tenant, target, state, dueAtMs }: DeliveryRow,
  { receivers }: Pick<Stores, "receivers">,
  scenario: Scenario,
): boolean =>
  state === "parked" &&
  dueAtMs !== null &&
  scenario.kindOf(tenant, target) !== "pull" &&
  receivers.isLost(scenario.urlOf(tenant, target));

function checkRow(stores: Stores, scenario: Scenario, row: DeliveryRow): void {
  const { violations, attempts, weather, tenants } = stores;
  const { event, target, state, lastError } = row;
  const sent = attempts.of(keyOf(row)).filter(({ isVoid }) => !isVoid);
  const fail = (what: string): void => violations.add(`${event} to ${target}: ${what}`, event);
  if (!ENDED.includes(state)) fail(`is still ${state}`);
  if (state !== "delivered" && (lastError ?? "") === "") fail(`is ${state} without a reason`);
  if (target === FAN_OUT && state !== "unmatched") {
    checkList(row, stores, fail);
    return;
  }
  const tenant = scenario.tenants.get(row.tenant);
  const isPulled = scenario.kindOf(row.tenant, target) === "pull";
  // What is too large to be published is no request to anybody.
  const refused = lastError?.includes("too large to be read") ? 1 : 0;
  const isBatched = scenario.isBatched(row.tenant, target);
  // What was leased and given up by a death counts, whether it was sent or not.
  const leases = isBatched
    ? stores.batchWatch.leasesOf(keyOf(row))
    : (stores.pullWatch.of(keyOf(row))?.leases ?? 0);
  const made = isPulled || isBatched ? leases : sent.length + refused;
  if (row.attempts > made) fail(`${row.attempts} attempts are counted, ${made} were made`);
  checkPublished(row, stores, fail);
  if (isPulled) checkPulled(row, stores, fail);
  const isGone = tenant?.isDeleted === true || tenant?.deletedTargets.has(target);
  if (state === "cancelled" && !isGone && !isOfCancelled(row, stores)) {
    fail("is cancelled although its target is there");
  }
  if (
    state === "parked" &&
    tenants.isOpen(row.tenant, target) &&
    !waitsForLost(row, stores, scenario)
  )
    fail("is parked, its target is open");
  if (state === "dead" && !isPulled && !isDeadRightly(row, sent, stores)) {
    const { retriesMax } = weather;
    fail(
      `is dead after ${sent.length} attempts and ${retriesMax} tries of a message: ${lastError}`,
    );
  }

  function isDeadRightly(
    { attempts: counted }: DeliveryRow,
    made: readonly WatchedAttempt[],
    all: Stores,
  ) {
    if (lastError?.includes("crashed too often")) return all.weather.retriesMax < 100;
    if (lastError?.includes("published events have led to it")) {
      const from = all.acceptance.deliveryOf(webhookIdOf(event, row.rule, target));
      return from?.hops === SAGA_HOPS_MAX;
    }
    if (lastError?.includes("too large to be read")) {
      return (all.acceptance.bodyOf(event)?.length ?? 0) > 60_000;
    }
    const refusals = made.filter(({ heard }) => heard !== null);
    if (refusals.some(({ heard }) => heard?.kind === "response" && heard.status === 410))
      return true;
    const delays = scenario.delaysOf(row.tenant, target);
    if (isBatched) {
      const isLost = lastError?.startsWith("its batches ended without an answer") === true;
      const most = delays.length + 1 + (isLost ? BATCH_UNANSWERED_MAX : 0);
      return counted >= most && (isLost || refusals.length > 0);
    }
    return counted === delays.length + 1 && refusals.length >= counted;
  }
}
