/**
 * Tenants, sources and rules as they are stored: a document that may be read back, and the secrets
 * apart from it. From both together comes what the hot path uses. Targets: stored-target.ts.
 */
import type { SealedSecrets } from "./deliver/signing-keys.ts";
import type { ForEachDoc } from "./fan-out/for-each.ts";
import type { IdempotencyKeyFrom, TypeFrom } from "./ingest/identity.ts";
import type { Json } from "./json.ts";
import { BODY_BYTES_DEFAULT_MAX } from "./limits.ts";
import type { Priority } from "./priority.ts";
import type { Limit, Source } from "./tenant.ts";
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

function definedOnly(
  value: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as Record<string, string | number>;
}
