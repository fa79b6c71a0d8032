/**
 * Checks of what senders are told: 202 only for what a durable store has by then, one identity for one
 * key, and exactly the subscriptions that the stamped revision of the rules names.
 */
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel } from "../../src/core/enqueue/pack.ts";
import { decodeFrame, type EventRecord } from "../../src/core/enqueue/record.ts";
import type { ElementOf } from "../../src/core/fan-out/element.ts";
import { SAGA_HOPS_MAX } from "../../src/core/saga/limits.ts";
import type { Accepted } from "../../src/flows/accept-event.ts";
import type { OutboxMode } from "../../src/flows/enqueue.ts";
import type { MemoryArchive } from "../support/memory-archive.ts";
import { webhookIdOf } from "./names.ts";
import { owedTo, type SimulatedTenant } from "./tenants.ts";
import type { Violations } from "./violations.ts";

/** What a sender sends. */
export interface Webhook {
  readonly tenant: string;
  readonly key: string;
  readonly kind: string;
  /** What its list has, each as it stands there; null when it has none. */
  readonly list: readonly string[] | null;
  readonly body: Uint8Array;
}

/** A delivery to a target that makes a new event of it. */
export interface SentOn {
  readonly event: string;
  readonly hops: number;
  readonly tenant: string;
  readonly rule: string;
  readonly target: string;
}

export interface AcceptanceWatch {
  /** These packs are on their way into a store; answers what to call once it has them. */
  offered(store: "queues" | "outbox", packs: readonly Uint8Array[]): () => void;
  /** The router answers 202 to a sender. */
  answered(webhook: Webhook, accepted: readonly Accepted[]): void;
  bodyOf(event: string): Uint8Array | undefined;
  /** Of which list's fan-out it is an element, if it is one. */
  fanOutOf(event: string): string | undefined;
  /** Its bytes are the router's own writing of what its sender sent. */
  isRewritten(event: string): boolean;
  /** The webhook that an event was, or whose list it is an element of, or that it was published of. */
  webhookOf(event: string): Webhook | undefined;
  /** The delivery of a target of kind event, by its id. */
  deliveryOf(id: string): SentOn | undefined;
  /** The event that became of a delivery, and whether a store has it that may be relied on. */
  publishedOf(delivery: string): { readonly event: string; readonly isDurable: boolean } | null;
  /** Everything that became durable, by receipt. */
  readonly records: ReadonlyMap<string, EventRecord>;
  /** Receipts of what was answered 202. */
  readonly promised: ReadonlySet<string>;
}

export function createAcceptanceWatch(
  mode: OutboxMode,
  archive: MemoryArchive,
  tenants: ReadonlyMap<string, SimulatedTenant>,
  webhooks: ReadonlyMap<string, Webhook>,
  violations: Violations,
): AcceptanceWatch {
  const records = new Map<string, EventRecord>();
  /** Receipts in a store that may be relied on: in `always` the queue forgets. */
  const durable = new Set<string>();
  const promised = new Set<string>();
  const idOf = new Map<string, string>();
  const identityOf = new Map<string, string>();
  /** Receipts of parcels whose bytes went with their tenant before anybody looked at them. */
  const unseen = new Set<string>();

  const elements = new Map<string, ElementOf>();
  /** Deliveries to targets of kind event, by id, and what has become of each; of such an event its delivery. */
  const sentOn = new Map<string, SentOn>();
  const published = new Map<string, { event: string; isDurable: boolean }>();
  const parents = new Map<string, string>();
  /** By name; of all targets that there ever were. */
  const kinds = new Map(
    [...tenants.values()].flatMap(({ id, targets }) =>
      [...targets.values()].map((target) => [`${id} ${target.id}`, target.kind] as const),
    ),
  );

  /** Whose data an event has: a webhook's, or those of an element of its list. */
  function originOf(event: string): { webhook: Webhook | undefined; index: number | null } {
    const parent = parents.get(event);
    if (parent !== undefined) return originOf(sentOn.get(parent)?.event ?? "");
    const element = elements.get(event);
    if (element === undefined) {
      return { webhook: webhooks.get(identityOf.get(event) ?? ""), index: null };
    }
    return { webhook: originOf(element.event).webhook, index: element.index };
  }

  const nameOf = ({ tenant, key }: { tenant: string; key: string }): string => `${tenant} ${key}`;

  function learn(record: EventRecord): void {
    const { id, receipt } = record;
    records.set(receipt, record);
    const name = nameOf(record);
    const sameKey = idOf.get(name) ?? id;
    const sameId = identityOf.get(id) ?? name;
    if (sameKey !== id) violations.add(`one key became two events, ${sameKey} and ${id}`, id);
    if (sameId !== name) violations.add(`two keys became one event, ${id}`, id);
    idOf.set(name, id);
    identityOf.set(id, name);
    if (record.elementOf !== undefined) elements.set(id, record.elementOf);
    learnPublished(record);
    checkSubscriptions(record);
  }

  /** Which of its deliveries become new events; and whether it is itself what became of one. */
  function learnPublished({ id, tenant, parent, subscriptions, hops = 0 }: EventRecord): void {
    for (const { rule, target } of subscriptions) {
      if (kinds.get(`${tenant} ${target}`) !== "event") continue;
      sentOn.set(webhookIdOf(id, rule, target), { event: id, hops, tenant, rule, target });
    }
    if (parent === undefined) return;
    const from = sentOn.get(parent);
    if (from === undefined || from.tenant !== tenant) {
      violations.add(`${id} was published of no delivery of its tenant`, id);
    } else if (hops !== from.hops + 1 || hops > SAGA_HOPS_MAX) {
      violations.add(`${id} is ${hops} events away, that it comes from ${from.hops}`, id);
    }
    const before = published.get(parent);
    if (before !== undefined && before.event !== id) {
      violations.add(`one delivery was published as two events, ${before.event} and ${id}`, id);
    }
    parents.set(id, parent);
    published.set(parent, before ?? { event: id, isDurable: false });
  }

  /** An element goes where its rule sent at some time since its event was accepted. */
  function checkElement(record: EventRecord, rule: string): void {
    const found = record.subscriptions.map(({ target }) => target).toSorted();
    const isKnown = (tenants.get(record.tenant)?.history ?? []).some(({ rules }) =>
      rules.some(
        ({ id, forEach, targets }) =>
          id === rule && forEach !== undefined && targets.toSorted().join(" ") === found.join(" "),
      ),
    );
    const isOfRule = record.subscriptions.every((each) => each.rule === rule);
    if (!isKnown || !isOfRule) {
      violations.add(`${record.id} is an element and owed to "${found.join(" ")}"`, record.id);
    }
  }

  function checkSubscriptions(record: EventRecord): void {
    if (record.elementOf !== undefined) {
      checkElement(record, record.elementOf.rule);
      return;
    }
    const tenant = tenants.get(record.tenant);
    const { webhook, index } = originOf(record.id);
    const kind = index === null ? (webhook?.kind ?? "") : "";
    const owed = tenant === undefined ? [] : owedTo(tenant, record.revision, kind);
    const nameIt = ({ rule, target }: { rule: string; target: string }) => `${rule}>${target}`;
    const expected = owed.map(nameIt).toSorted().join(" ");
    const found = record.subscriptions.map(nameIt).toSorted().join(" ");
    if (expected !== found) {
      violations.add(`${record.id} is owed to "${found}" instead of "${expected}"`, record.id);
    }
  }

  return {
    records,
    promised,

    offered(store, packs) {
      const receipts: string[] = [];
      for (const bytes of packs) {
        const decoded = decodePack(bytes, platformText);
        if (!decoded.ok) {
          violations.add(`a pack that nobody can read was sent: ${decoded.reason}`);
          continue;
        }
        for (const { content } of decoded.pack.items) {
          const receipt = isParcel(content) ? content.receipt : content.record.receipt;
          const record = isParcel(content) ? restingAt(content.pointer.segment) : content.record;
          // Who stood still between both may find that the tenant was removed meanwhile.
          const isRemoved = isParcel(content) && tenants.get(content.tenant)?.isDeleted === true;
          if (record === null) {
            if (isRemoved) unseen.add(receipt);
            else violations.add("a parcel's bytes are not in the archive");
          } else if (!records.has(receipt)) learn(record);
          receipts.push(receipt);
        }
      }
      return () => {
        if (store === "queues" && mode === "always") return;
        for (const receipt of receipts) {
          durable.add(receipt);
          const known = published.get(records.get(receipt)?.parent ?? "");
          if (known !== undefined) known.isDurable = true;
        }
      };
    },

    answered(webhook, accepted) {
      for (const { id, receipt, deliveries } of accepted) {
        promised.add(receipt);
        if (!durable.has(receipt)) violations.add(`${id} is answered 202 before it is durable`, id);
        const known = records.get(receipt);
        if (known !== undefined && known.subscriptions.length !== deliveries) {
          violations.add(`${id} is promised ${deliveries} deliveries`, id);
        }
        if (identityOf.get(id) !== nameOf(webhook) && !unseen.has(receipt)) {
          violations.add(`${id} is answered for another key than ${webhook.key}`, id);
        }
      }
    },

    webhookOf: (event) => originOf(event).webhook,
    fanOutOf: (event) => elements.get(event)?.fanOut,
    isRewritten: (event) => parents.has(event) || parents.has(elements.get(event)?.event ?? ""),
    deliveryOf: (id) => sentOn.get(id),
    publishedOf: (delivery) => published.get(delivery) ?? null,
    bodyOf(event) {
      const { webhook, index } = originOf(event);
      if (index === null) return webhook?.body;
      const element = webhook?.list?.[index];
      return element === undefined ? undefined : platformText.encode(element);
    },
  };

  function restingAt(segment: string): EventRecord | null {
    const bytes = archive.objects.get(segment);
    return bytes === undefined ? null : (decodeFrame(bytes, 0, platformText)?.record ?? null);
  }
}
