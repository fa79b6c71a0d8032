/** What a run is about: tenants, webhooks, and what operators do meanwhile. All of it from the seed. */
import type { QueueName } from "../../src/core/priority.ts";
import type { Chance } from "./chance.ts";
import { drawTenant, KINDS, type SimulatedTenant, type TargetKind } from "./tenants.ts";
import type { Webhook } from "./watch-acceptance.ts";

/** A sender's delivery of one webhook, tried again until it hears 202 or gives up. */
export interface Sending {
  readonly webhook: Webhook;
  readonly atMs: number;
}

type QueueAct = "pause-queue" | "tune-queue";
type ConfigAct = "edit-rules" | "pause" | "resume" | "delete-target" | "delete-tenant" | "poison";
export type Act = ConfigAct | QueueAct;

export interface Doing {
  readonly act: Act;
  readonly tenant: string;
  /** One that chance names when it is not said; likewise the queue. */
  readonly target?: string;
  readonly queue?: QueueName;
  readonly atMs: number;
}

export interface Scenario {
  readonly tenants: ReadonlyMap<string, SimulatedTenant>;
  /** By tenant and key. */
  readonly webhooks: ReadonlyMap<string, Webhook>;
  readonly sendings: readonly Sending[];
  readonly doings: readonly Doing[];
  /** Many events at once for receivers that do not answer: more than a lease has time for. */
  readonly isPileUp: boolean;
  /** Many events at once for receivers that take half a second each, while operators close targets. */
  readonly isLong: boolean;
  /** A target's pauses between attempts, also after it was deleted. */
  delaysOf(tenant: string, target: string): readonly number[];
  kindOf(tenant: string, target: string): TargetKind | undefined;
  isBatched(tenant: string, target: string): boolean;
  urlOf(tenant: string, target: string): string;
}

const SECOND = 1_000;
/** More than a queue message takes, so that the body goes to the archive first. */
const BIG_BODY_BYTES = 70_000;
const PADDING = "x".repeat(BIG_BODY_BYTES);
const encoder = new TextEncoder();

const elements = (key: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `{"of":"${key}","n":${n}.0}`);

export function drawScenario(chance: Chance): Scenario {
  const isPileUp = chance.happens(0.025);
  const isLong = !isPileUp && chance.aside.happens(0.08);
  const isBusy = isPileUp || isLong;
  const isMixed = !isBusy && chance.aside.happens(0.25);
  const isBatched = !isBusy && !isMixed && chance.aside.happens(0.25);
  const traits = { isBusy, isLong, isMixed, isBatched };
  const names = ["acme", "globex", "initech"].slice(0, isBusy ? 1 : chance.between(1, 3));
  const tenants = new Map(names.map((name) => [name, drawTenant(name, traits, chance)]));
  const [first = "acme"] = names;
  const webhooks = new Map<string, Webhook>();
  const sendings: Sending[] = [];
  const hasBig = chance.happens(0.16);
  const isCrowd = isBusy || chance.happens(0.3);
  const spanMs = chance.pick([1, 20, 120]) * SECOND;
  const drawn = isLong ? 30 : isPileUp ? 14 : chance.between(1, isCrowd ? 8 : 3);
  const count = drawn + (isBatched ? chance.aside.between(0, 6) : 0);
  const sameKind = chance.happens(0.3) ? chance.pick(KINDS) : null;
  for (let index = 0; index < count; index += 1) {
    const tenant = chance.pick([first, ...names]);
    const key = `key-${index}`;
    const kind = chance.happens(0.08) ? "z" : (sameKind ?? chance.pick(KINDS));
    const isBig = hasBig && index === 0;
    const pad = isBig ? `,"pad":"${PADDING}"` : "";
    const { aside } = chance;
    const list = aside.happens(0.1) ? null : elements(key, aside.between(0, 5));
    const text = `,"list":[${list?.join(" , ")}]`;
    const body = `{"kind":"${kind}","n":${index}${list === null ? "" : text}${pad}}`;
    const webhook = { tenant, key, kind, list, body: encoder.encode(body) };
    webhooks.set(`${tenant} ${key}`, webhook);
    const atMs = isCrowd ? chance.between(0, 20) : chance.between(0, spanMs);
    sendings.push({ webhook, atMs });
    if (chance.happens(0.12)) sendings.push({ webhook, atMs: atMs + chance.between(0, 3) });
    if (chance.happens(0.12))
      sendings.push({ webhook, atMs: atMs + chance.between(1, 300) * SECOND });
  }
  const doings: Doing[] = [];
  while (chance.happens(0.45)) {
    doings.push({
      act: chance.pick<Act>([
        ...(["edit-rules", "edit-rules", "pause", "pause", "resume"] as const),
        ...(["delete-target", "delete-tenant", "poison"] as const),
      ]),
      tenant: chance.pick([first, ...names]),
      // Often while something is under way.
      atMs: chance.happens(0.5)
        ? chance.pick(sendings).atMs + chance.between(0, 300)
        : chance.between(0, 200 * SECOND),
    });
  }
  const { aside } = chance;
  while (aside.happens(0.25)) {
    const atMs = aside.happens(0.6)
      ? aside.pick(sendings).atMs + aside.between(0, 300)
      : aside.between(0, 200 * SECOND);
    doings.push({
      act: aside.pick(["pause-queue", "pause-queue", "tune-queue"]),
      tenant: first,
      atMs,
    });
  }
  while (isLong && aside.happens(0.85)) {
    const act = aside.pick<Act>([
      ...(["pause", "pause", "pause", "pause-queue", "pause-queue", "edit-rules"] as const),
      ...(["delete-target", "delete-tenant"] as const),
    ]);
    doings.push({ act, tenant: first, queue: "normal", atMs: aside.between(100, 9_000) });
  }
  for (const { id: tenant, targets } of tenants.values()) {
    for (const { id: target, isPaused } of targets.values()) {
      // Opened just when something is to be parked for it.
      if (!isPaused || chance.happens(0.1)) continue;
      const atMs = chance.pick(sendings).atMs + chance.between(0, 150);
      doings.push({ act: "resume", tenant, target, atMs });
    }
  }
  const all = new Map(
    [...tenants.values()].flatMap(({ id, targets }) =>
      [...targets.values()].map((target) => [`${id} ${target.id}`, target] as const),
    ),
  );
  return {
    ...{ tenants, webhooks, sendings, doings, isPileUp, isLong },
    delaysOf: (tenant, target) => all.get(`${tenant} ${target}`)?.delaysSeconds ?? [],
    kindOf: (tenant, target) => all.get(`${tenant} ${target}`)?.kind,
    isBatched: (tenant, target) => (all.get(`${tenant} ${target}`)?.batch ?? null) !== null,
    urlOf: (tenant, target) => all.get(`${tenant} ${target}`)?.url ?? "",
  };
}
