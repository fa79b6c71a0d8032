/**
 * Sources, targets and rules as they are stored: a document that may be read back, and the secrets
 * apart from it. From both together comes what the hot path uses.
 */
import { type BatchBody, batchLimitsOf } from "./batch/batch.ts";
import { authOf, type OpenAuth, storeAuth, type TargetAuth } from "./deliver/auth.ts";
import type { Permission } from "./deliver/handshake.ts";
import type { RetryPolicy } from "./deliver/retry.ts";
import { STANDARD_LADDER } from "./deliver/retry.ts";
import {
  type SealedSecrets,
  type SigningSecret,
  sealedSecrets,
  signingKeysOf,
} from "./deliver/signing-keys.ts";
import type { ForEachDoc } from "./fan-out/for-each.ts";
import { isCredentialHeader } from "./ingest/headers.ts";
import type { IdempotencyKeyFrom, TypeFrom } from "./ingest/identity.ts";
import type { Json } from "./json.ts";
import {
  ADAPTIVE_MAX_DEFAULT,
  ATTEMPT_TIMEOUT_MS_DEFAULT,
  BODY_BYTES_DEFAULT_MAX,
  GATE_CONCURRENCY_DEFAULT,
} from "./limits.ts";
import { compileOrder, type OrderDoc } from "./order/order.ts";
import type { Priority } from "./priority.ts";
import { type PullBody, pullTargetOf } from "./pull/pull.ts";
import type { Gate, Limit, SagaDefinition, Source, Target } from "./tenant.ts";
import type { TransformerDoc } from "./transform/transformer.ts";
import type { VerifyConfig } from "./verify/config.ts";

export const RESOURCE_KINDS = ["source", "target", "rule", "saga"] as const;
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

export interface LimitBody {
  readonly eventsPerSecond: number;
  /** As much as one second brings, unless it says otherwise. */
  readonly burst?: number | undefined;
  readonly overflow?: Limit["overflow"] | undefined;
}

export interface TenantBody {
  readonly name?: string | undefined;
  readonly limit?: LimitBody | undefined;
}

export interface SourceBody {
  readonly verify: VerifyConfig;
  readonly idempotencyKey?: IdempotencyKeyFrom | undefined;
  readonly typeFrom?: TypeFrom | undefined;
  readonly limit?: LimitBody | undefined;
  readonly bytesMax?: number | undefined;
}

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

/** A shadow rule matches and counts, and delivers nothing. */
export const RULE_MODES = ["live", "shadow"] as const;
export type RuleMode = (typeof RULE_MODES)[number];

export interface RuleBody {
  readonly pattern: Json;
  readonly priority: Priority;
  readonly targets: readonly string[];
  /** What a target of these gets in place of the event's own bytes, by its id. */
  readonly transformers?: Readonly<Record<string, TransformerDoc>> | undefined;
  /** Its targets get the elements of this list, each as an event of its own. */
  readonly forEach?: ForEachDoc | undefined;
  readonly enabled?: boolean | undefined;
  /** Live, unless it says otherwise. */
  readonly mode?: RuleMode | undefined;
  readonly description?: string | undefined;
}

/** The secrets of one resource, as they are sealed together. */
export interface Secrets extends SealedSecrets {
  /** Signing secrets, or API keys, or one password: whatever its scheme knows, in order. */
  readonly values: readonly string[];
  /** Values of credential headers, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The secret of a target's `auth`. */
  readonly auth?: string;
}

export interface Stored<Doc> {
  readonly doc: Doc;
  readonly secrets: Secrets | null;
}

export type SourceDoc = Omit<SourceBody, "verify"> & {
  readonly verify: Readonly<Record<string, string | number>>;
};
export type TargetDoc = (HttpTargetDoc | Exclude<TargetBody, HttpTargetBody>) & {
  /** Set by the router when the receiver is gone or has not permitted deliveries; a PUT or a resume clears it. */
  readonly disabled?: { readonly reason: string; readonly at: string };
  /** What the receiver answered to its handshake. */
  readonly permission?: Permission;
};

type HttpTargetDoc = Omit<HttpTargetBody, "secrets" | "auth"> & { readonly auth?: OpenAuth };

export function limitOf(body: LimitBody | undefined): Limit | null {
  if (body === undefined) return null;
  const { eventsPerSecond, burst, overflow } = body;
  return {
    perSecond: eventsPerSecond,
    burst: burst ?? Math.max(1, Math.ceil(eventsPerSecond)),
    overflow: overflow ?? "reject",
  };
}

/** Takes the secrets out of a source. */
export function storeSource(body: SourceBody): Stored<SourceDoc> {
  const { verify, ...rest } = body;
  switch (verify.scheme) {
    case "none":
      return { doc: { ...rest, verify }, secrets: null };
    case "basic": {
      const { password, ...open } = verify;
      return { doc: { ...rest, verify: open }, secrets: { values: [password] } };
    }
    case "api-key": {
      const { keys, ...open } = verify;
      return { doc: { ...rest, verify: open }, secrets: { values: keys } };
    }
    default: {
      const { secrets, ...open } = verify;
      const doc = { ...rest, verify: definedOnly(open) };
      return { doc, secrets: { values: secrets } };
    }
  }
}

/** The source that the hot path uses; the opposite of `storeSource`. */
export function sourceOf(
  id: string,
  { doc, secrets }: Stored<SourceDoc>,
  fingerprint: (secret: string) => string,
): Source {
  return {
    id,
    secretIds: (secrets?.values ?? []).map(fingerprint),
    verify: verifyOf(doc.verify, secrets?.values ?? []),
    ...(doc.idempotencyKey === undefined ? {} : { idempotencyKey: doc.idempotencyKey }),
    ...(doc.typeFrom === undefined ? {} : { typeFrom: doc.typeFrom }),
    limit: limitOf(doc.limit),
    bytesMax: doc.bytesMax ?? BODY_BYTES_DEFAULT_MAX,
  };
}

function verifyOf(open: SourceDoc["verify"], values: readonly string[]): VerifyConfig {
  // The document was validated when it was saved; the store gives back what it was given.
  const scheme = open.scheme as VerifyConfig["scheme"];
  const held =
    scheme === "none"
      ? {}
      : scheme === "basic"
        ? { password: values[0] ?? "" }
        : scheme === "api-key"
          ? { keys: values }
          : { secrets: values };
  return { ...open, ...held } as VerifyConfig;
}

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

function definedOnly(
  value: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as Record<string, string | number>;
}

/** What a stub has of its own is no call to the other Worker: it would be answered here. */
const OWN_OF_STUBS: ReadonlySet<string> = new Set(["fetch", "connect", "then", "dup"]);

/** Whether a method of another Worker may have that name. */
export const isMethodName = (name: string): boolean =>
  /^[a-zA-Z_]\w{0,63}$/.test(name) && !OWN_OF_STUBS.has(name) && !(name in Object.prototype);
