/**
 * Between a life and a service: every call takes time, and on the way anything may happen to the call,
 * to the service, or to the caller itself.
 */
import { Retryable } from "../../src/core/errors.ts";
import type { Chance } from "./chance.ts";
import type { Life } from "./life.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";
import { ERROR_TEXTS, type Service, type Weather } from "./weather.ts";

export interface Wire {
  /** `effect` is what the service does, at one moment. */
  call<T>(
    life: Life,
    service: Service,
    method: string,
    effect: () => Promise<T>,
    detail?: () => string,
  ): Promise<T>;
  /** When a call of the isolate to one of the services last failed, or hung as one that still does. */
  troubledAtMs(life: Life, services: readonly Service[]): number;
  /** Whether nothing goes wrong any more. */
  isCalm(): boolean;
  /** The local engine dies, and with it whatever was under way in it. */
  endEngine(): void;
  /** An isolate dies or stands still, as a fault of this call. */
  onCrash: (life: Life) => void;
  onStall: (life: Life) => void;
}

type Fate = "fine" | "before" | "after" | "hangs" | "crash-before" | "crash-after" | "stall";

/** One for each caller: a promise that all shared would hold every dead caller's world. */
const never = (): Promise<never> => new Promise(() => {});
/** The longest hang of a queue on record (workerd#6053). */
const LONG_HANG_MS = 57_000;

export function createWire(
  scheduler: Scheduler,
  startMs: number,
  weather: Weather,
  chance: Chance,
  trace: Trace,
): Wire {
  const sinceStart = (): number => scheduler.nowMs() - startMs;

  const shares: readonly (readonly [Fate, number])[] = [
    ["before", weather.failsBefore],
    ["after", weather.failsAfter],
    ["hangs", weather.hangs],
    ["crash-before", weather.crashes / 2],
    ["crash-after", weather.crashes / 2],
    ["stall", weather.stalls],
  ];

  function fateOf(service: Service): Fate {
    if (wire.isCalm()) return "fine";
    const outage = outageOf(service);
    if (outage !== undefined) return outage.as === "hangs" ? "hangs" : "before";
    let drawn = chance.unit();
    for (const [fate, share] of shares) {
      if (drawn < share) return fate;
      drawn -= share;
    }
    return "fine";
  }

  const outageOf = (service: Service) =>
    weather.outages.find(
      ({ services, fromMs, toMs }) =>
        services.includes(service) && sinceStart() >= fromMs && sinceStart() < toMs,
    );

  function latency(life: Life): number {
    const isSlow = !life.isSpared && !wire.isCalm() && chance.happens(weather.slow);
    return isSlow ? chance.between(500, 12_000) : chance.between(1, 20);
  }

  const errorOf = (service: Service, method: string): Retryable =>
    new Retryable(`${service}.${method} failed`, 1_000, {
      cause: new Error(chance.pick(ERROR_TEXTS[service])),
    });

  let engine = 0;
  const troubles = new Map<Life, Map<Service, number>>();
  function note({ isolate }: Life, service: Service, fate: Fate): void {
    const own = troubles.get(isolate) ?? new Map<Service, number>();
    troubles.set(isolate, own);
    // A hang may be waited for by whoever comes later.
    own.set(service, scheduler.nowMs() + (fate === "hangs" ? LONG_HANG_MS : 0));
  }

  const wire: Wire = {
    troubledAtMs(life, services) {
      const own = troubles.get(life.isolate);
      return Math.max(...services.map((service) => own?.get(service) ?? Number.NEGATIVE_INFINITY));
    },
    endEngine() {
      engine += 1;
    },
    onCrash: (life) => life.kill(),
    onStall: () => {},
    isCalm: () => sinceStart() >= weather.endsAtMs,

    call<T>(
      life: Life,
      service: Service,
      method: string,
      effect: () => Promise<T>,
      detail?: () => string,
    ) {
      if (!life.isAlive()) return never();
      const name = `${service}.${method}`;
      const fate = life.isSpared ? "fine" : fateOf(service);
      trace.note(life.name, fate === "fine" ? name : `${name} ${fate}`, detail);
      if (fate !== "fine") note(life, service, fate);
      const { promise, resolve, reject } = Promise.withResolvers<T>();

      const since = engine;
      /** A dead caller's call may still be under way, or not; with its engine every call ends. */
      const reaches = (): boolean => since === engine && (life.isAlive() || chance.happens(0.5));
      const answer = (settle: () => void): void => {
        scheduler.after(latency(life), life, () => {
          trace.note(life.name, `${name} answered`);
          settle();
        });
      };
      const apply = (): void => {
        const failed = fate === "after";
        effect().then(
          (value) => answer(() => (failed ? reject(errorOf(service, method)) : resolve(value))),
          (error: unknown) => answer(() => reject(error)),
        );
      };

      switch (fate) {
        case "before":
          answer(() => reject(errorOf(service, method)));
          break;
        case "hangs": {
          const happens = chance.pick(["never", "now", "late", "late"] as const);
          const late = LONG_HANG_MS + chance.between(0, 1_000);
          if (happens === "now") void effect().catch(() => {});
          if (happens === "late") scheduler.after(late, null, () => reaches() && apply());
          break;
        }
        case "crash-before":
          wire.onCrash(life);
          break;
        case "crash-after":
          void effect().catch(() => {});
          wire.onCrash(life);
          break;
        default:
          // At once and answered later, or later and answered then: both orders exist.
          if (chance.happens(0.5)) apply();
          else scheduler.after(latency(life), null, () => reaches() && apply());
          if (fate === "stall") wire.onStall(life);
      }
      return promise;
    },
  };
  return wire;
}
