/** Bindings, as wrangler.toml names them, and variables, parsed once; a bad one is named and nothing starts. */
import * as z from "zod/mini";
import type { FanOutRpc } from "./adapters/fan-out-jobs.ts";
import type { TargetGateRpc } from "./adapters/gates.ts";
import type { TenantLimiterRpc } from "./adapters/limiter.ts";
import type { OutboxRpc } from "./adapters/outbox.ts";
import type { ReplayRpc } from "./adapters/replayers.ts";
import type { SagaRpc } from "./adapters/sagas.ts";
import { decodeBase64 } from "./core/bytes.ts";
import { type AddressPolicy, TARGET_PORTS_DEFAULT } from "./core/deliver/target-url.ts";

export interface Env {
  readonly DB: D1Database;
  readonly ARCHIVE: R2Bucket;
  readonly QUEUE_CRITICAL: Queue<Uint8Array>;
  readonly QUEUE_NORMAL: Queue<Uint8Array>;
  readonly QUEUE_BULK: Queue<Uint8Array>;
  readonly QUEUE_REPLAY: Queue<Uint8Array>;
  readonly TENANT_LIMITER: DurableObjectNamespace<TenantLimiterRpc>;
  readonly OUTBOX_SHARD: DurableObjectNamespace<OutboxRpc>;
  readonly FAN_OUT: DurableObjectNamespace<FanOutRpc>;
  readonly REPLAY: DurableObjectNamespace<ReplayRpc>;
  readonly SAGA: DurableObjectNamespace<SagaRpc>;
  readonly TARGET_GATE: DurableObjectNamespace<TargetGateRpc>;
  readonly ADMIN_TOKEN?: string;
  readonly ENCRYPTION_KEY?: string;
  readonly ENCRYPTION_KEYS_OLD?: string;
  readonly ALLOW_PRIVATE_TARGETS?: string;
  readonly PUBLIC_URL?: string;
  readonly ALLOW_IP_TARGETS?: string;
  readonly TARGET_PORTS?: string;
  readonly OWN_HOSTS?: string;
  readonly DNS_RESOLVER?: string;
  readonly OUTBOX?: string;
  readonly OUTBOX_SHARDS?: string;
}

const Flag = z._default(z.enum(["true", "false"], 'is neither "true" nor "false"'), "false");
const PORT = /^([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/;
const HOST = /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?$/;

const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
const list = (each: RegExp, message: string, countMin = 0) =>
  z.string().check(
    z.refine((text) => {
      const all = listOf(text);
      return all.length >= countMin && all.every((one) => each.test(one));
    }, message),
  );

/** By what the guard judges an address. */
const GuardVars = {
  ALLOW_PRIVATE_TARGETS: Flag,
  ALLOW_IP_TARGETS: Flag,
  TARGET_PORTS: z._default(
    list(PORT, "is not a list of ports with commas between them", 1),
    TARGET_PORTS_DEFAULT.join(),
  ),
  OWN_HOSTS: z._default(
    list(HOST, "is not a list of host names in lower case with commas between them"),
    "",
  ),
  DNS_RESOLVER: z._default(
    z.string().check(z.refine(isResolverUrl, "is not a https URL, or one of http on this machine")),
    "",
  ),
};

/** Whoever answers in the resolver's place decides what may be called. */
function isResolverUrl(text: string): boolean {
  if (text === "") return true;
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && hostname === "127.0.0.1");
}

const Vars = z.object({
  /** Empty or short: the admin routes stay closed; ingest goes on. */
  ADMIN_TOKEN: z._default(z.string(), ""),
  ENCRYPTION_KEY: z
    .string("is missing: 32 random bytes in base64, as a secret")
    .check(z.refine((value) => decodeBase64(value)?.length === 32, "is not 32 bytes in base64")),
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
  ENCRYPTION_KEYS_OLD: z._default(
    z
      .string()
      .check(
        z.refine(
          (text) => listOf(text).every((key) => decodeBase64(key)?.length === 32),
          "is not a list of keys of 32 bytes in base64 with commas between them",
        ),
      ),
    "",
  ),
  ...GuardVars,
  OUTBOX: z._default(
    z.enum(["on-failure", "always"], 'is neither "on-failure" nor "always"'),
    "on-failure",
  ),
  OUTBOX_SHARDS: z._default(
    z.string().check(z.regex(/^([1-9]|[1-5]\d|6[0-4])$/, "is not a number from 1 to 64")),
    "1",
  ),
});

export interface GuardConfig {
  readonly policy: AddressPolicy;
  /** The URL of a resolver; null: names are not looked up. */
  readonly dnsResolver: string | null;
}

export interface Config {
  readonly adminToken: string;
  readonly encryptionKey: string;
  /** Without a slash at its end; empty if it is not known. */
  readonly publicUrl: string;
  readonly encryptionKeysOld: readonly string[];
  readonly guard: GuardConfig;
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
      publicUrl: data.PUBLIC_URL.replace(/\/+$/, ""),
      encryptionKeysOld: listOf(data.ENCRYPTION_KEYS_OLD),
      guard: guardConfig(data),
      outbox: data.OUTBOX,
      outboxShards: Number(data.OUTBOX_SHARDS),
    },
  };
}

/** What the guard needs; null when a variable of its own is bad, whatever the others are. */
export function parseGuardConfig(vars: Readonly<Record<string, unknown>>): GuardConfig | null {
  const parsed = z.object(GuardVars).safeParse(vars);
  return parsed.success ? guardConfig(parsed.data) : null;
}

function guardConfig(data: Readonly<Record<keyof typeof GuardVars, string>>): GuardConfig {
  return {
    policy: {
      allowPrivate: data.ALLOW_PRIVATE_TARGETS === "true",
      allowLiterals: data.ALLOW_IP_TARGETS === "true",
      ports: listOf(data.TARGET_PORTS).map(Number),
      ownHosts: listOf(data.OWN_HOSTS),
    },
    dnsResolver: data.DNS_RESOLVER === "" ? null : data.DNS_RESOLVER,
  };
}
