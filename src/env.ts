/** Bindings, as wrangler.toml names them, and variables, parsed once; a bad one is named and nothing starts. */
import * as z from "zod/mini";
import type { TenantLimiterRpc } from "./adapters/limiter.ts";
import type { OutboxRpc } from "./adapters/outbox.ts";
import type { ReplayRpc } from "./adapters/replayers.ts";
import type { SagaRpc } from "./adapters/sagas.ts";
import { decodeBase64 } from "./core/bytes.ts";

export interface Env {
  readonly DB: D1Database;
  readonly ARCHIVE: R2Bucket;
  readonly QUEUE_CRITICAL: Queue<Uint8Array>;
  readonly QUEUE_NORMAL: Queue<Uint8Array>;
  readonly QUEUE_BULK: Queue<Uint8Array>;
  readonly QUEUE_REPLAY: Queue<Uint8Array>;
  readonly TENANT_LIMITER: DurableObjectNamespace<TenantLimiterRpc>;
  readonly OUTBOX_SHARD: DurableObjectNamespace<OutboxRpc>;
  readonly REPLAY: DurableObjectNamespace<ReplayRpc>;
  readonly SAGA: DurableObjectNamespace<SagaRpc>;
  readonly ADMIN_TOKEN?: string;
  readonly ENCRYPTION_KEY?: string;
  readonly ALLOW_PRIVATE_TARGETS?: string;
  readonly PUBLIC_URL?: string;
  readonly OUTBOX?: string;
  readonly OUTBOX_SHARDS?: string;
}

const Vars = z.object({
  /** Empty or short: the admin routes stay closed; ingest goes on. */
  ADMIN_TOKEN: z._default(z.string(), ""),
  ENCRYPTION_KEY: z
    .string("is missing: 32 random bytes in base64, as a secret")
    .check(z.refine((value) => decodeBase64(value)?.length === 32, "is not 32 bytes in base64")),
  ALLOW_PRIVATE_TARGETS: z._default(
    z.enum(["true", "false"], 'is neither "true" nor "false"'),
    "false",
  ),
  /** Where participants of sagas reach the router; without it callbacks are relative references. */
  PUBLIC_URL: z._default(
    z
      .string()
      .check(
        z.refine(
          (value) => value === "" || /^https?:\/\/[^\s?#]+$/.test(value),
          "is no http address",
        ),
      ),
    "",
  ),
  OUTBOX: z._default(
    z.enum(["on-failure", "always"], 'is neither "on-failure" nor "always"'),
    "on-failure",
  ),
  OUTBOX_SHARDS: z._default(
    z.string().check(z.regex(/^([1-9]|[1-5]\d|6[0-4])$/, "is not a number from 1 to 64")),
    "1",
  ),
});

export interface Config {
  readonly adminToken: string;
  readonly encryptionKey: string;
  readonly allowPrivateTargets: boolean;
  /** Without a slash at its end; empty if it is not known. */
  readonly publicUrl: string;
  readonly outbox: "on-failure" | "always";
  readonly outboxShards: number;
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  /** One line per bad variable: its name and what is wrong, never its value. */
  | { readonly ok: false; readonly faults: readonly string[] };

export function parseConfig(vars: Readonly<Record<string, unknown>>): ParsedConfig {
  const parsed = Vars.safeParse(vars);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    return { ok: false, faults };
  }
  const { data } = parsed;
  return {
    ok: true,
    config: {
      adminToken: data.ADMIN_TOKEN,
      encryptionKey: data.ENCRYPTION_KEY,
      allowPrivateTargets: data.ALLOW_PRIVATE_TARGETS === "true",
      publicUrl: data.PUBLIC_URL.replace(/\/+$/, ""),
      outbox: data.OUTBOX,
      outboxShards: Number(data.OUTBOX_SHARDS),
    },
  };
}
