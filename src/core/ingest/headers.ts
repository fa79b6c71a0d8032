/** Which of the sender's headers an event keeps, which rules see, and which a target gets. */
import type { VerifyConfig } from "../verify/config.ts";
import { HEADERS_COUNT_MAX, HEADERS_LENGTH_MAX } from "./limits.ts";

export type Headers = readonly (readonly [string, string])[];

interface Group {
  readonly names?: readonly string[];
  readonly prefixes?: readonly string[];
  /** Anywhere in the name, so that senders nobody has listed are covered too. */
  readonly parts?: readonly string[];
  /** Whether rules see them. */
  readonly event: boolean;
  /** Whether a target gets them. */
  readonly target: boolean;
}

/** Whoever holds a credential can act as its owner, so it ends here. */
const CREDENTIALS: Group = {
  names: ["authorization", "cookie", "set-cookie", "aeg-sas-key", "x-functions-key"],
  prefixes: ["proxy-"],
  parts: ["token", "secret", "password", "credential", "api-key", "apikey", "subscription-key"],
  event: false,
  target: false,
};

/** Proof of the sender: nothing to route by, but the provider's own SDK behind us checks it. */
const PROOF: Group = { parts: ["signature", "hmac"], event: false, target: true };

/** The first group a name belongs to decides; a name of none of them is seen and goes on. */
const GROUPS: readonly Group[] = [
  CREDENTIALS,
  /** Of one connection, not of the message (RFC 9110 §7.6.1). */
  {
    names: ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"],
    event: false,
    target: false,
  },
  /** About this request's address, framing and answer; the delivery has its own. */
  {
    names: ["host", "content-length", "expect", "max-forwards", "range"],
    prefixes: ["accept", "if-"],
    event: false,
    target: false,
  },
  /** Written by networks on the way; a sender who writes them poses as somebody else. */
  {
    names: ["forwarded", "via", "cdn-loop", "true-client-ip", "x-real-ip", "x-client-ip"],
    prefixes: ["cf-", "x-forwarded-"],
    event: false,
    target: false,
  },
  /** Would make a target treat the request as another one than it is. */
  {
    names: ["x-http-method", "x-http-method-override", "x-method-override"],
    prefixes: ["x-original-", "x-rewrite-"],
    event: false,
    target: false,
  },
  /** Proof of the sender, replaced by ours because the names are the same. */
  { names: ["webhook-signature"], event: false, target: false },
  PROOF,
  /** Facts about the message that every delivery states anew. */
  {
    names: ["content-type", "user-agent", "traceparent", "webhook-id", "webhook-timestamp"],
    prefixes: ["ce-", "signalbox-"],
    event: true,
    target: false,
  },
];

const OPEN: Group = { event: true, target: true };

/** Senders use the same few dozen names again and again; strangers may not fill the memory with theirs. */
const KNOWN_NAMES_MAX = 1_000;
const known = new Map<string, Group>();

function groupOf(name: string): Group {
  let group = known.get(name);
  if (group === undefined) {
    group = findGroup(name);
    if (known.size >= KNOWN_NAMES_MAX) known.clear();
    known.set(name, group);
  }
  return group;
}

function findGroup(name: string): Group {
  const belongs = (group: Group) =>
    group.names?.includes(name) ||
    group.prefixes?.some((prefix) => name.startsWith(prefix)) ||
    group.parts?.some((part) => name.includes(part));
  return GROUPS.find(belongs) ?? OPEN;
}

/** Whether a header of this name, in lower case, is taken for a credential. */
export function isCredentialHeader(name: string): boolean {
  return groupOf(name) === CREDENTIALS;
}

/** Whether a header of this name, in lower case, proves who sent the bytes, and so fits no others. */
const isProofHeader = (name: string): boolean => groupOf(name) === PROOF;

/**
 * The headers that are recorded with an event, names in lower case, in order: all that rules or
 * targets may get, and so without credentials, the source's own API key among them.
 */
export function keptHeaders(headers: Headers, verify: VerifyConfig): Headers {
  const apiKey = verify.scheme === "api-key" ? verify.header.toLowerCase() : null;
  const lower = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
  const ofConnection = new Set(
    lower.flatMap(([name, value]) =>
      name === "connection" ? value.split(",").map((item) => item.trim().toLowerCase()) : [],
    ),
  );
  return lower.filter(([name]) => {
    const group = groupOf(name);
    return (group.event || group.target) && name !== apiKey && !ofConnection.has(name);
  });
}

/** Where a sender without a preset signs; what presets sign in is known by its name. */
export const ownSignatureHeader = (verify: VerifyConfig): string | null =>
  verify.scheme === "hmac" ? verify.header.toLowerCase() : null;

/**
 * What rules see as `headers`: repeated ones are joined by ", " (RFC 9110 §5.3). `signature` is what
 * `ownSignatureHeader` says.
 */
export function eventHeaders(kept: Headers, signature: string | null): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of kept) {
    if (!groupOf(name).event || name === signature) continue;
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(joined);
}

/** Field values of RFC 9110 §5.5 without the obsolete ones, which `fetch` may refuse. */
const SENDABLE = /^[\t\x20-\x7e]*$/;

/** What a target gets of the sender's headers; the delivery adds its own on top. */
export function forwardedHeaders(kept: Headers): Headers {
  return kept.filter(([name, value]) => groupOf(name).target && SENDABLE.test(value));
}

/** Says what is wrong with a request's headers as a whole; null for what senders usually send. */
export function headersFault(headers: Headers): string | null {
  const kept = keptHeaders(headers, { scheme: "none" });
  if (kept.length > HEADERS_COUNT_MAX) {
    return `The request has ${kept.length} headers; at most ${HEADERS_COUNT_MAX} are taken.`;
  }
  const length = kept.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return length > HEADERS_LENGTH_MAX
    ? `The request's headers have ${length} characters; at most ${HEADERS_LENGTH_MAX} are taken.`
    : null;
}

/** About the bytes as they came: of no use with others. */
const ABOUT_BYTES = new Set(["content-encoding", "content-md5", "content-digest", "digest"]);

/** For other bytes than the sender's: without what proves or describes those; `proof` is a source's own. */
export const withoutProof = (headers: Headers, proof: string | undefined): Headers =>
  headers.filter(([name]) => !(isProofHeader(name) || name === proof || ABOUT_BYTES.has(name)));
