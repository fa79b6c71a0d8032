/** Queues and services by the names of their bindings: `TARGET_QUEUE_ORDERS` is the queue `orders`. */
import type { Answer } from "../core/deliver/outcome.ts";
import { isMethodName } from "../core/stored-target.ts";
import type { Bound } from "../ports/bound.ts";
import type { Clock } from "../ports/clock.ts";
import { dropBody, inTime, networkDetail, sendRequest } from "./send-request.ts";

export const QUEUE_PREFIX = "TARGET_QUEUE_";
export const SERVICE_PREFIX = "TARGET_SERVICE_";

type Method = (event: unknown) => Promise<unknown>;

/** A variable of such a name is none: it has no such method. */
const isQueue = (value: unknown): value is Queue<unknown> => hasMethod(value, "send");
const isService = (value: unknown): value is Fetcher => hasMethod(value, "fetch");

const hasMethod = (value: unknown, name: string): boolean =>
  (typeof value === "object" || typeof value === "function") &&
  value !== null &&
  typeof (value as Readonly<Record<string, unknown>>)[name] === "function";

export function createBound(env: object, clock: Clock): Bound {
  const queues = named(env, QUEUE_PREFIX, isQueue);
  const services = named(env, SERVICE_PREFIX, isService);

  const missing = (what: string, name: string): Answer => ({
    kind: "network",
    detail: `no ${what} "${name}" is bound`,
  });

  /** What neither answers nor ends is a timeout; it may have had its effect. */
  const answered = (timeoutMs: number, work: () => Promise<unknown>): Promise<Answer> =>
    inTime(timeoutMs, async (signal) => {
      const late = new Promise<Answer>((resolve) => {
        signal.addEventListener("abort", () => resolve({ kind: "timeout" }));
      });
      return Promise.race([late, work().then(() => DONE, failed)]);
    });

  return {
    queues: [...queues.keys()].sort(),
    services: [...services.keys()].sort(),

    async enqueue(name, message, timeoutMs) {
      const queue = queues.get(name);
      if (queue === undefined) return missing("queue", name);
      return answered(timeoutMs, async () =>
        queue.send(JSON.parse(message), { contentType: "json" }),
      );
    },

    async request(name, request) {
      const service = services.get(name);
      if (service === undefined) {
        await dropBody(request);
        return missing("service", name);
      }
      const call = (url: string, init: RequestInit) => service.fetch(url, init);
      return inTime(request.timeoutMs, (signal) => sendRequest(call, request, signal, clock));
    },

    async call(name, method, event, timeoutMs) {
      const service = services.get(name);
      if (service === undefined) return missing("service", name);
      if (!isMethodName(method)) return { kind: "network", detail: `${method} names no method` };
      const methods = service as unknown as Readonly<Record<string, Method>>;
      // By its name at the call: what is taken from a stub is bound to nothing.
      return answered(timeoutMs, async () => methods[method]?.(JSON.parse(event)));
    },
  };
}

const DONE: Answer = { kind: "response", status: 200, retryAfterMs: null, body: "" };

const failed = (error: unknown): Answer => ({ kind: "network", detail: networkDetail(error) });

function named<Binding>(
  env: object,
  prefix: string,
  isOne: (value: unknown) => value is Binding,
): ReadonlyMap<string, Binding> {
  const found = Object.entries(env).flatMap(([name, value]): [string, Binding][] =>
    name.startsWith(prefix) && isOne(value)
      ? [[name.slice(prefix.length).toLowerCase().replaceAll("_", "-"), value]]
      : [],
  );
  return new Map(found);
}
