/** Bindings, as wrangler.toml names them, and variables, parsed once; a bad one is named and nothing starts. */
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

const NO_TEXT = "is no text";

/** What a variable may hold. */
interface Variable {
  /** What it says where it is not set. */
  readonly unset?: string;
  allows(text: string): boolean;
  /** Said after its name where it holds anything else. */
  readonly fault: string;
  /** Said where it is not set but must be. */
  readonly missing?: string;
}

const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");

const oneOf = (unset: string, other: string): Variable => ({
  unset,
  allows: (text) => text === unset || text === other,
  fault: `is neither "${unset}" nor "${other}"`,
});

const flag: Variable = { ...oneOf("false", "true"), fault: 'is neither "true" nor "false"' };

const isKey = (text: string): boolean => decodeBase64(text)?.length === 32;

/** Whoever answers in the resolver's place decides what may be called. */
function isResolverUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && hostname === "127.0.0.1");
}

const PORT = /^([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/;
const HOST = /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?$/;

/** By what the guard judges an address. */
const GUARD_VARIABLES = {
  ALLOW_PRIVATE_TARGETS: flag,
  ALLOW_IP_TARGETS: flag,
  TARGET_PORTS: {
    unset: TARGET_PORTS_DEFAULT.join(),
    allows: (text) => listOf(text).length > 0 && listOf(text).every((port) => PORT.test(port)),
    fault: "is not a list of ports with commas between them",
  },
  OWN_HOSTS: {
    unset: "",
    allows: (text) => listOf(text).every((host) => HOST.test(host)),
    fault: "is not a list of host names in lower case with commas between them",
  },
  DNS_RESOLVER: {
    unset: "",
    allows: (text) => text === "" || isResolverUrl(text),
    fault: "is not a https URL, or one of http on this machine",
  },
} satisfies Record<string, Variable>;

const VARIABLES = {
  /** Empty or short: the admin routes stay closed; ingest goes on. */
  ADMIN_TOKEN: { unset: "", allows: () => true, fault: NO_TEXT },
  ENCRYPTION_KEY: {
    allows: isKey,
    fault: "is not 32 bytes in base64",
    missing: "is missing: 32 random bytes in base64, as a secret",
  },
  /** Where participants of sagas reach the router; without it callbacks are relative references. */
  PUBLIC_URL: {
    unset: "",
    allows: (text) => text === "" || /^https?:\/\/[^\s?#]+$/.test(text),
    fault: "is no http address",
  },
  ENCRYPTION_KEYS_OLD: {
    unset: "",
    allows: (text) => listOf(text).every(isKey),
    fault: "is not a list of keys of 32 bytes in base64 with commas between them",
  },
  ...GUARD_VARIABLES,
  OUTBOX: oneOf("on-failure", "always"),
  OUTBOX_SHARDS: {
    unset: "1",
    allows: (text) => /^([1-9]|[1-5]\d|6[0-4])$/.test(text),
    fault: "is not a number from 1 to 64",
  },
} satisfies Record<string, Variable>;

type Texts<Variables> = Readonly<Record<keyof Variables, string>>;

/** By hand: a library for this would be a quarter of what a cold start evaluates. */
function read<Variables extends Readonly<Record<string, Variable>>>(
  vars: Readonly<Record<string, unknown>>,
  variables: Variables,
): { readonly data: Texts<Variables>; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const texts = Object.entries(variables).map(([name, variable]): [string, string] => {
    const { unset, allows, fault, missing = NO_TEXT } = variable;
    const value = vars[name] ?? unset;
    if (value === undefined) faults.push(`${name} ${missing}`);
    else if (typeof value !== "string") faults.push(`${name} ${NO_TEXT}`);
    else if (!allows(value)) faults.push(`${name} ${fault}`);
    return [name, String(value)];
  });
  return { data: Object.fromEntries(texts) as Texts<Variables>, faults };
}

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
  const { data, faults } = read(vars, VARIABLES);
  if (faults.length > 0) return { ok: false, faults };
  return {
    ok: true,
    config: {
      adminToken: data.ADMIN_TOKEN,
      encryptionKey: data.ENCRYPTION_KEY,
      publicUrl: data.PUBLIC_URL.replace(/\/+$/, ""),
      encryptionKeysOld: listOf(data.ENCRYPTION_KEYS_OLD),
      guard: guardConfig(data),
      outbox: data.OUTBOX === "always" ? "always" : "on-failure",
      outboxShards: Number(data.OUTBOX_SHARDS),
    },
  };
}

/** What the guard needs; null when a variable of its own is bad, whatever the others are. */
export function parseGuardConfig(vars: Readonly<Record<string, unknown>>): GuardConfig | null {
  const { data, faults } = read(vars, GUARD_VARIABLES);
  return faults.length === 0 ? guardConfig(data) : null;
}

function guardConfig(data: Texts<typeof GUARD_VARIABLES>): GuardConfig {
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
