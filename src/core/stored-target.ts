/** Targets of every kind as they are stored, and what the hot path makes of each. */
import { type BatchBody, batchLimitsOf } from "./batch/batch.ts";
import { authOf, type OpenAuth, storeAuth, type TargetAuth } from "./deliver/auth.ts";
import type { Permission } from "./deliver/handshake.ts";
import { type RetryPolicy, STANDARD_LADDER } from "./deliver/retry.ts";
import { type SigningSecret, sealedSecrets, signingKeysOf } from "./deliver/signing-keys.ts";
import { ADAPTIVE_MAX_DEFAULT, GATE_CONCURRENCY_DEFAULT } from "./gate-limits.ts";
import { isCredentialHeader } from "./ingest/headers.ts";
import { ATTEMPT_TIMEOUT_MS_DEFAULT } from "./limits.ts";
import { compileOrder, type OrderDoc } from "./order/order.ts";
import { type PullBody, pullTargetOf } from "./pull/pull.ts";
import type { Stored } from "./resources.ts";
import type { Gate, SagaDefinition, Target } from "./tenant.ts";

export type TargetBody =
  | HttpTargetBody
  | SagaTargetBody
  | EventTargetBody
  | PullTargetBody
  | QueueTargetBody
  | ServiceTargetBody;

export interface QueueTargetBody {
  readonly kind: "queue";
  readonly queue: string;
  readonly retry?: RetryPolicy | undefined;
  readonly paused?: boolean | undefined;
}

export interface ServiceTargetBody {
  readonly kind: "service";
  readonly service: string;
  readonly path?: string | undefined;
  readonly method?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly gate?: HttpTargetBody["gate"];
  readonly paused?: boolean | undefined;
}

export interface PullTargetBody extends PullBody {
  readonly kind: "pull";
  readonly paused?: boolean | undefined;
}

export interface EventTargetBody {
  readonly kind: "event";
  /** The target's own name, if it is left out. */
  readonly source?: string | undefined;
  /** That of the event it gets, if it is left out. */
  readonly type?: string | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly paused?: boolean | undefined;
}

export interface SagaTargetBody {
  readonly kind: "saga";
  readonly saga: string;
  readonly retry?: RetryPolicy | undefined;
  readonly paused?: boolean | undefined;
}

export interface HttpTargetBody {
  readonly kind: "http";
  readonly url: string;
  /** Its receiver is asked whether it wants to be sent to, whenever it is saved. */
  readonly handshake?: "options" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly auth?: TargetAuth | { readonly scheme: "none" } | undefined;
  readonly secrets?: readonly SigningSecret[] | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly gate?:
    | {
        readonly concurrency?: number | undefined;
        readonly perSecond?: number | undefined;
        readonly perDay?: number | undefined;
        readonly adaptive?: boolean | undefined;
      }
    | undefined;
  /** What it gets goes out together, as one request. */
  readonly batch?: BatchBody | undefined;
  readonly order?: OrderDoc | undefined;
  readonly paused?: boolean | undefined;
}

export type TargetDoc = (HttpTargetDoc | Exclude<TargetBody, HttpTargetBody>) & {
  /** Set by the router when the receiver is gone or has not permitted deliveries; a PUT or a resume clears it. */
  readonly disabled?: { readonly reason: string; readonly at: string };
  /** What the receiver answered to its handshake. */
  readonly permission?: Permission;
};

type HttpTargetDoc = Omit<HttpTargetBody, "secrets" | "auth"> & { readonly auth?: OpenAuth };

/** Takes the secrets and the credential headers out of a target. */
export function storeTarget(body: TargetBody): Stored<TargetDoc> {
  if (body.kind !== "http") return { doc: body, secrets: null };
  const { secrets, headers, auth, ...rest } = body;
  const shown = auth === undefined || auth.scheme === "none" ? null : storeAuth(auth);
  const entries = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  const credentials = entries.filter(([name]) => isCredentialHeader(name ?? ""));
  const open = entries.filter(([name]) => !isCredentialHeader(name ?? ""));
  return {
    doc: {
      ...rest,
      ...(headers === undefined ? {} : { headers: Object.fromEntries(open) }),
      ...(shown === null ? {} : { auth: shown.open }),
    },
    secrets: {
      ...sealedSecrets(secrets ?? []),
      headers: Object.fromEntries(credentials),
      ...(shown === null ? {} : { auth: shown.secret }),
    },
  };
}

/** The target that the hot path uses; the opposite of `storeTarget`. */
export function targetOf(
  id: string,
  { doc, secrets }: Stored<TargetDoc>,
  definitionOf: (saga: string) => SagaDefinition | null,
): Target {
  const common = {
    id,
    retry: (doc.kind === "pull" ? undefined : doc.retry) ?? STANDARD_LADDER,
    closed: doc.disabled !== undefined ? "disabled" : doc.paused === true ? "paused" : null,
    ...(doc.disabled === undefined
      ? {}
      : { disabled: { reason: doc.disabled.reason, isPaused: doc.paused === true } }),
  } as const;
  if (doc.kind !== "http") {
    return {
      ...common,
      ...{ url: "", headers: {}, signingKeys: [], timeoutMs: ATTEMPT_TIMEOUT_MS_DEFAULT },
      gate: gateOf(undefined),
      ...insideOf(id, doc, definitionOf),
    };
  }
  return {
    ...common,
    url: doc.url,
    headers: { ...doc.headers, ...secrets?.headers },
    ...authMember(doc.auth, secrets?.auth),
    signingKeys: secrets === null ? [] : signingKeysOf(secrets),
    timeoutMs: doc.timeoutMs ?? ATTEMPT_TIMEOUT_MS_DEFAULT,
    gate: {
      ...gateOf(doc.gate, doc.permission?.ratePerMinute),
      ...(doc.batch === undefined ? {} : { batch: batchLimitsOf(doc.batch) }),
    },
    ...(doc.order === undefined ? {} : { order: compileOrder(doc.order) }),
    saga: null,
  };
}

/** Since when a target is closed: one that is disabled says it, one that is paused was so at its last change. */
export const closedAtMs = ({ disabled }: TargetDoc, updatedAtMs: number): number =>
  disabled === undefined ? updatedAtMs : Date.parse(disabled.at);

/** What a target that is not called over HTTP is instead. */
function insideOf(
  id: string,
  doc: Exclude<TargetBody, HttpTargetBody>,
  definitionOf: (saga: string) => SagaDefinition | null,
): Pick<Target, "saga" | "other"> & Partial<Target> {
  switch (doc.kind) {
    case "saga":
      return { saga: { name: doc.saga, definition: definitionOf(doc.saga) } };
    case "event":
      return {
        saga: null,
        other: { kind: "event", source: doc.source ?? id, type: doc.type ?? null },
      };
    case "pull":
      return { saga: null, other: pullTargetOf(doc) };
    case "queue":
      return { saga: null, other: { kind: "queue", queue: doc.queue } };
    case "service": {
      const { service, path = "/", method = null } = doc;
      return {
        ...{ saga: null, other: { kind: "service", service, method } },
        url: `https://${service}${path}`,
        timeoutMs: doc.timeoutMs ?? ATTEMPT_TIMEOUT_MS_DEFAULT,
        gate: gateOf(doc.gate),
      };
    }
  }
}

/** What lost its secret sends nothing, instead of something that nobody vouches for. */
const authMember = (open: OpenAuth | undefined, secret: string | undefined): Partial<Target> => {
  if (open === undefined) return {};
  return secret === undefined ? { isLocked: true } : { auth: authOf(open, secret) };
};

/** `allowedPerMinute`: what the receiver said that it takes, when it was asked for its permission. */
function gateOf(gate: HttpTargetBody["gate"], allowedPerMinute: number | null = null): Gate {
  const rates = [gate?.perSecond ?? null, allowedPerMinute === null ? null : allowedPerMinute / 60];
  const perSecond = Math.min(...rates.map((rate) => rate ?? Number.POSITIVE_INFINITY));
  return {
    concurrency:
      gate?.concurrency ??
      (gate?.adaptive === true ? ADAPTIVE_MAX_DEFAULT : GATE_CONCURRENCY_DEFAULT),
    perSecond: perSecond === Number.POSITIVE_INFINITY ? null : perSecond,
    perDay: gate?.perDay ?? null,
    isAdaptive: gate?.adaptive === true,
    isSet: gate !== undefined || allowedPerMinute !== null,
  };
}

/** What a stub has of its own is no call to the other Worker: it would be answered here. */
const OWN_OF_STUBS: ReadonlySet<string> = new Set(["fetch", "connect", "then", "dup"]);

/** Whether a method of another Worker may have that name. */
export const isMethodName = (name: string): boolean =>
  /^[a-zA-Z_]\w{0,63}$/.test(name) && !OWN_OF_STUBS.has(name) && !(name in Object.prototype);
