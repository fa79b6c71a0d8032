/** A sender of webhooks for tests: the real flow over ports in memory, and what it left behind. */
import { expect } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel, type PackItem } from "../../src/core/enqueue/pack.ts";
import type { EventRecord, Frame } from "../../src/core/enqueue/record.ts";
import { PRIORITIES, type Priority } from "../../src/core/priority.ts";
import type { Problem } from "../../src/core/problem.ts";
import {
  type Acceptance,
  type Accepted,
  type AcceptPorts,
  acceptEvent,
} from "../../src/flows/accept-event.ts";
import type { Webhook } from "../../src/flows/judge-webhook.ts";
import { createIsolate, createWorld, type Isolate, type World } from "../support/memory-router.ts";
import type { TenantSketch } from "../support/memory-tenants.ts";

/** Two rules and a source for each case. */
export const ACME: TenantSketch = {
  sources: {
    open: {},
    keyed: { verify: { scheme: "api-key", header: "X-Key", keys: ["good"] }, secretIds: ["id"] },
    limited: { limit: { perSecond: 1, burst: 2, overflow: "reject" } },
    demoting: { limit: { perSecond: 1, burst: 1, overflow: "demote" } },
    small: { bytesMax: 10 },
    named: { idempotencyKey: { from: "header", name: "x-id" } },
  },
  targets: { pager: {}, mail: {} },
  rules: {
    orders: { pattern: { data: { kind: ["order"] } }, priority: "normal", targets: ["mail"] },
    alarms: {
      pattern: { data: { kind: ["order"], urgent: [true] } },
      priority: "critical",
      targets: ["pager", "mail"],
    },
  },
};

/** Wanted by one rule, as normal. */
export const ORDER = '{ "kind": "order", "total": 1.0 }';
/** Wanted by both. */
export const ALARM = '{"kind":"order","urgent":true}';

type HeaderSketch = Readonly<Record<string, string>>;

/** A webhook as the door hands it on. */
export function webhook(path: string, body: string | Uint8Array, headers: HeaderSketch): Webhook {
  const [tenant = "", source = ""] = path.split("/");
  const bytes = typeof body === "string" ? platformText.encode(body) : body;
  return {
    tenant,
    source,
    headers: Object.entries(headers),
    header: (name) => headers[name] ?? null,
    readBody: async (bytesMax) => (bytes.length > bytesMax ? null : bytes),
  };
}

export type Sending = [
  path: string,
  body?: string | Uint8Array,
  headers?: HeaderSketch,
  ports?: AcceptPorts,
];

export interface Sender {
  readonly world: World;
  readonly isolate: Isolate;
  /** Sends a webhook to `tenant/source`. */
  send(...sending: Sending): Promise<Acceptance>;
  /** Sends one that must be accepted. */
  accepted(...sending: Sending): Promise<readonly Accepted[]>;
  /** Sends one that must be refused. */
  refused(...sending: Sending): Promise<Problem>;
  /** What a queue holds. */
  contentsOf(priority: Priority): PackItem["content"][];
  framesIn(priority: Priority): Frame[];
  recordsIn(priority: Priority): EventRecord[];
  /** Fails if anything was kept of any webhook. */
  expectNothingKept(): void;
}

export function createSender(): Sender {
  const world = createWorld();
  world.tenants.put("acme", ACME);
  const isolate = createIsolate(world);

  const send: Sender["send"] = (path, body = "{}", headers = {}, ports = isolate.accept) =>
    world.clock.run(acceptEvent(webhook(path, body, headers), ports));

  function contentsOf(priority: Priority): PackItem["content"][] {
    return [...world.queues.kept[priority].values()].flatMap(({ body }) => {
      const decoded = decodePack(body, platformText);
      if (!decoded.ok) throw new Error(decoded.reason);
      return decoded.pack.items.map(({ content }) => content);
    });
  }

  const framesIn = (priority: Priority): Frame[] =>
    contentsOf(priority).flatMap((content) => (isParcel(content) ? [] : [content]));

  return {
    world,
    isolate,
    send,
    contentsOf,
    framesIn,
    recordsIn: (priority) => framesIn(priority).map(({ record }) => record),
    async accepted(...sending) {
      const acceptance = await send(...sending);
      if (acceptance.kind !== "accepted") throw new Error(JSON.stringify(acceptance));
      return acceptance.events;
    },
    async refused(...sending) {
      const acceptance = await send(...sending);
      if (acceptance.kind !== "refused") throw new Error(JSON.stringify(acceptance));
      return acceptance.problem;
    },
    expectNothingKept() {
      expect(PRIORITIES.map((priority) => world.queues.kept[priority].size)).toEqual([0, 0, 0]);
      expect([world.outbox.rows.size, world.archive.objects.size]).toEqual([0, 0]);
    },
  };
}
