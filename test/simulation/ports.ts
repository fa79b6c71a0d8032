/** The ports of one life: the shared stores behind the wire, watched where they answer. */
import { FAN_OUT, type QueueName } from "../../src/core/priority.ts";
import type { FanOutPorts } from "../../src/flows/fan-out-page.ts";
import type { Archive } from "../../src/ports/archive.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Deletions } from "../../src/ports/deletions.ts";
import type { FanOutJobs } from "../../src/ports/fan-outs.ts";
import type { Gates } from "../../src/ports/gates.ts";
import type { Ledger } from "../../src/ports/ledger.ts";
import type { Limiter } from "../../src/ports/limiter.ts";
import type { Outbox } from "../../src/ports/outbox.ts";
import type { Queues } from "../../src/ports/queues.ts";
import type { Turns } from "../../src/ports/turns.ts";
import { createMemoryTurns } from "../support/memory-turns.ts";
import type { Invocation } from "./invocation.ts";
import type { Life } from "./life.ts";
import type { Stores } from "./stores.ts";
import { isDone } from "./ways-out.ts";

export function wiredArchive(
  { wire, archive }: Stores,
  life: Life,
  onPut: (key: string) => void = () => {},
): Archive {
  return {
    put(key, bytes) {
      onPut(key);
      return wire.call(life, "archive", "put", () => archive.put(key, bytes));
    },
    putPoison: (key, bytes, reason) =>
      wire.call(life, "archive", "putPoison", () => archive.putPoison(key, bytes, reason)),
    frame: (pointer) => wire.call(life, "archive", "frame", () => archive.frame(pointer)),
    meta: (pointer) => wire.call(life, "archive", "meta", () => archive.meta(pointer)),
    stream: (key, offset, length) =>
      wire.call(life, "archive", "stream", () => archive.stream(key, offset, length)),
  };
}

export function wiredLimiter({ wire, limiter }: Stores, life: Life): Limiter {
  return {
    lease: (tenant, request) =>
      wire.call(life, "limiter", "lease", () => limiter.lease(tenant, request)),
    announce: (tenant, revision) =>
      wire.call(life, "limiter", "announce", () => limiter.announce(tenant, revision)),
    usage: (tenant, scopes) => limiter.usage(tenant, scopes),
    secretsLastUsed: (tenant) => limiter.secretsLastUsed(tenant),
    renameSecrets: (tenant, names) => limiter.renameSecrets(tenant, names),
    shadowMatches: (tenant) => limiter.shadowMatches(tenant),
    forget: (tenant) => wire.call(life, "limiter", "forget", () => limiter.forget(tenant)),
  };
}

export function wiredGates({ wire, gates }: Stores, life: Life): Gates {
  const call = <T>(method: string, effect: () => Promise<T>) =>
    wire.call(life, "limiter", method, effect);
  return {
    tell: (id, told) => call("tell", () => gates.tell(id, told)),
    limits: (id, config) => gates.limits(id, config),
    nextBatchMs: (id) => gates.nextBatchMs(id),
    reset: (id, config) => call("reset", () => gates.reset(id, config)),
    wake: (id, config) => call("wake", () => gates.wake(id, config)),
  };
}

export function wiredDeletions({ wire, deletions }: Stores, life: Life): Deletions {
  const call = <T>(method: string, effect: () => Promise<T>) =>
    wire.call(life, "ledger", method, effect);
  return {
    running: (count) => call("running", () => deletions.running(count)),
    async remover() {
      const remover = await deletions.remover();
      return {
        rows: (deletion, count) => call("rows", () => remover.rows(deletion, count)),
        objects: (deletion, count) => call("objects", () => remover.objects(deletion, count)),
        note: (job, removed, isDone) => call("note", () => remover.note(job, removed, isDone)),
      };
    },
  };
}

/** What is in D1 of fan-outs, and their objects. */
export function wiredFanOuts(
  { wire, fanOuts, fanOutWatch }: Stores,
  life: Life,
): FanOutPorts["fanOuts"] & FanOutJobs {
  const { store } = fanOuts;
  /** Whoever makes one has these ports to itself. */
  const page = {};
  const call = <T>(method: string, effect: () => Promise<T>, detail?: () => string) =>
    wire.call(life, "ledger", method, effect, detail);
  return {
    ...store,
    create: (fanOut) =>
      call(
        "createFanOut",
        async () => {
          const isNew = !store.rows.has(`${fanOut.tenant} ${fanOut.id}`);
          await store.create(fanOut);
          if (isNew) fanOuts.onBegun(fanOut);
        },
        () => fanOut.id,
      ),
    // Where no list is fanned out, a run is what it was before there were any.
    async overdue(count) {
      return store.rows.size === 0 ? [] : call("overdueFanOuts", () => store.overdue(count));
    },
    // No run lasts as long as one is kept.
    forget: async () => 0,
    wake: (at) => wire.call(life, "limiter", "wakeFanOut", () => fanOuts.wake(at)),
    fanOut: (at) =>
      call("fanOut", async () => {
        const found = await store.fanOut(at);
        fanOutWatch.read(page, found);
        return found;
      }),
    place: (fanOut) => call("place", () => store.place(fanOut)),
    states: (...asked) => call("states", () => store.states(...asked)),
    move: (at, from, to, reason) =>
      call("move", async () => {
        const isMoved = await store.move(at, from, to, reason);
        if (isMoved) fanOutWatch.moved(at.id, to);
        return isMoved;
      }),
    cap: (...asked) => call("cap", () => store.cap(...asked)),
    giveUp: (fanOut, why) =>
      call("giveUp", async () => {
        const count = await store.giveUp(fanOut, why);
        fanOutWatch.gaveUp(fanOut.id);
        return count;
      }),
    advance: (at, rev, end) =>
      call(
        "advance",
        async () => {
          const before = await store.fanOut(at);
          const isNext = await store.advance(at, rev, end);
          if (before !== null && isNext) fanOutWatch.advanced(page, before, end.sent);
          return isNext;
        },
        () => `${at.id} to ${end.sent}`,
      ),
  };
}

/** Where nothing is in order, a run is what it was before there was an order. */
export function wiredTurns({ wire, ledger, tenants }: Stores, life: Life, clock: Clock): Turns {
  const turns = createMemoryTurns(clock, ledger, tenants);
  const call = <T>(method: string, effect: () => Promise<T>) =>
    wire.call(life, "ledger", method, effect);
  return {
    take: (...asked) => call("takeTurns", () => turns.take(...asked)),
    next: (keys) => call("nextTurns", () => turns.next(keys)),
    async waiting(from) {
      const isNone = (await turns.waiting("")).length === 0;
      return isNone ? [] : call("waitingKeys", () => turns.waiting(from));
    },
  };
}

const noOffer = () => () => {};

export function wiredOutbox(
  { wire, outbox: { outbox } }: Stores,
  life: Life,
  offer: (packs: readonly Uint8Array[]) => () => void = noOffer,
): Outbox {
  return {
    shardOf: outbox.shardOf,
    put: (shard, priority, packs) =>
      wire.call(life, "outbox", "put", async () => {
        const onKept = offer(packs);
        const isKept = await outbox.put(shard, priority, packs);
        if (isKept) onKept();
        return isKept;
      }),
    settled: (origins) => wire.call(life, "outbox", "settled", () => outbox.settled(origins)),
    recover: () => wire.call(life, "outbox", "recover", () => outbox.recover()),
    wake: () => wire.call(life, "outbox", "wake", () => outbox.wake()),
    state: () => outbox.state(),
  };
}

/** Of several packs a queue may take some and refuse the rest. */
export function wiredQueues(
  { wire, queues, chance }: Stores,
  life: Life,
  offer: (packs: readonly Uint8Array[], queue: QueueName) => () => void = noOffer,
): Queues {
  return {
    send: (priority, packs, delaySeconds) =>
      wire.call(
        life,
        "queues",
        "send",
        async () => {
          const isWhole = packs.length < 2 || wire.isCalm() || !chance.happens(0.2);
          const taken = isWhole ? packs : packs.slice(0, chance.between(0, packs.length - 1));
          const onKept = offer(taken, priority);
          await queues.send(priority, taken, delaySeconds);
          onKept();
          if (!isWhole) throw new Error("Queue is overloaded. Please back off.");
        },
        () => `${packs.length} to ${priority}, delay ${delaySeconds ?? 0} s`,
      ),
    metrics: (priority) => queues.metrics(priority),
  };
}

export const short = (id: string): string => id.slice(-6);

export function wiredLedger(
  stores: Stores,
  invocation: Invocation,
  onPutOff: (keys: readonly string[]) => void = () => {},
): Ledger {
  const { wire, ledger, claims, attempts, queueWatch, violations } = stores;
  const call = <T>(method: string, effect: () => Promise<T>, detail?: () => string) =>
    wire.call(invocation.life, "ledger", method, effect, detail);
  return {
    claim(request) {
      invocation.token = request.token;
      const detail = () =>
        [...request.firsts.map(({ id }) => id), ...request.agains.map(keyOf)].map(short).join(" ");
      return call(
        "claim",
        async () => {
          const answer = await ledger.claim(request);
          claims.claimed(request, answer);
          queueWatch.claimed(invocation);
          return answer;
        },
        detail,
      );
    },
    settle(token, results, duplicates) {
      attempts.settling(invocation, results);
      const detail = () =>
        results.map((result) => `${short(result.event)}=${result.state}`).join(" ");
      return call(
        "settle",
        async () => {
          const settlement = await ledger.settle(token, results, duplicates);
          const { refused } = settlement;
          claims.settled(token, results, refused);
          for (const result of results) {
            if (result.state !== "delivered" || refused.has(keyOf(result))) continue;
            if (result.target === FAN_OUT) continue; // its elements are looked for in the end
            const isTrue = attempts.of(keyOf(result)).some(isDone);
            if (!isTrue) {
              violations.add(
                `${result.event} is written down as delivered, and was not`,
                result.event,
              );
            }
          }
          return settlement;
        },
        detail,
      );
    },
    place: (token, placements) => call("place", () => ledger.place(token, placements)),
    giveBack: (token, unfinished) =>
      call("giveBack", async () => {
        await ledger.giveBack(token, unfinished);
        claims.gaveBack(token, unfinished);
      }),
    queueControls: () => call("queueControls", () => ledger.queueControls()),
    changes: (tenants) => call("changes", () => ledger.changes(tenants)),
    due: (horizonMs, count) => call("due", () => ledger.due(horizonMs, count)),
    putOff(keys, byMs) {
      onPutOff(keys.map(keyOf));
      return call("putOff", () => ledger.putOff(keys, byMs));
    },
    bury: (keys, reason) => call("bury", () => ledger.bury(keys, reason)),
    release: (tenant, target) => call("release", () => ledger.release(tenant, target)),
    openings: (count) => call("openings", () => ledger.openings(count)),
    takeParked: (tenant, target, most) =>
      call("takeParked", () => ledger.takeParked(tenant, target, most)),
    buryClosed: (ageMs) => call("buryClosed", () => ledger.buryClosed(ageMs)),
    closedTargets: (count) => call("closedTargets", () => ledger.closedTargets(count)),
    waiting: (...given) => call("waiting", () => ledger.waiting(...given)),
    buryClosedExcess: (tenant, target, bound, count) =>
      call("buryClosedExcess", () => ledger.buryClosedExcess(tenant, target, bound, count)),
    parkedTargets: (count) => call("parkedTargets", () => ledger.parkedTargets(count)),
    buryParked: (tenant, target, ageMs) =>
      call("buryParked", () => ledger.buryParked(tenant, target, ageMs)),
    recover: (isolate) =>
      call("recover", async () => {
        await ledger.recover(isolate);
        claims.recovered(isolate);
      }),
    expire: (nowMs) => call("expire", () => ledger.expire(nowMs)),
    disableTarget: (...asked) => call("disableTarget", () => ledger.disableTarget(...asked)),
  };
}
