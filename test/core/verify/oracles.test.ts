/**
 * The senders' own SDKs as oracles: thousands of damaged requests, the same verdict as theirs,
 * except for the written list of what we refuse and they accept. Every entry of the list must
 * occur.
 */
import { verify as verifyGitHub } from "@octokit/webhooks-methods";
import { ApiVersion, LogSeverity, shopifyApi } from "@shopify/shopify-api";
import { getHmac } from "@shopify/shopify-api/test-helpers";
import "@shopify/shopify-api/adapters/node";
import fc from "fast-check";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PresetScheme } from "../../../src/core/verify/presets.ts";
import { accepted, type Headers, mac, NOW_MS, NOW_SECONDS, sign, verdictOf } from "./sender.ts";

const RUNS = 2_000;
const SEED = 20_261_121;

const SECRETS = [
  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
  "whsec_cGxlYXNlIGRvIG5vdCB1c2UgdGhpcw==",
];
const [SECRET = "", STRANGER = ""] = SECRETS;

interface Case {
  readonly headers: Headers;
  readonly body: string;
  readonly secret: string;
}

interface Oracle {
  readonly scheme: PresetScheme;
  /** A genuine request as the SDK itself or the documentation makes it. */
  sign(secret: string, body: string, timestamp: string, id: string): Headers;
  accepts(request: Case): boolean | Promise<boolean>;
  /** What we refuse although the SDK accepts it, and how to tell. */
  readonly stricter: Readonly<Record<string, (headers: Headers) => boolean>>;
  /** What we accept although the SDK refuses it. */
  readonly laxer?: { readonly because: string; applies(headers: Headers): boolean };
}

const notThrown = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

const isPlainSeconds = (value: string | undefined) => /^(0|[1-9]\d{0,14})$/.test(value ?? "");
const isAhead = (value: string | undefined) => Number.parseInt(value ?? "", 10) > NOW_SECONDS + 300;

const stripe = new Stripe("sk_test_x");
const fields = (headers: Headers) =>
  (headers["stripe-signature"] ?? "").split(",").map((field) => field.split("="));
const lastTime = (headers: Headers) => fields(headers).findLast(([name]) => name === "t")?.[1];

const shopifyApps = new Map(
  SECRETS.map((apiSecretKey) => [
    apiSecretKey,
    shopifyApi({
      apiSecretKey,
      apiKey: "key",
      apiVersion: ApiVersion.October26,
      hostName: "localhost",
      isEmbeddedApp: false,
      logger: { level: LogSeverity.Error },
    }),
  ]),
);
/** What Shopify's SDK asks for besides the signature. */
const shopifyHeaders = {
  "x-shopify-topic": "orders/create",
  "x-shopify-shop-domain": "shop.myshopify.com",
  "x-shopify-api-version": ApiVersion.October26,
  "x-shopify-webhook-id": "id",
};

const standardStricter = {
  "a timestamp that is not plain seconds": (headers: Headers) =>
    !isPlainSeconds(headers["webhook-timestamp"] ?? headers["svix-timestamp"]),
  "an id with a dot": (headers: Headers) =>
    (headers["webhook-id"] ?? headers["svix-id"] ?? "").includes("."),
  "something behind a second comma": (headers: Headers) =>
    /v1,[^ ]*,/.test(headers["webhook-signature"] ?? headers["svix-signature"] ?? ""),
};

const oracles: Record<string, Oracle> = {
  "@octokit/webhooks-methods": {
    scheme: "github",
    sign: (secret, body) => sign.github(secret, body),
    accepts: ({ headers, body, secret }) =>
      verifyGitHub(secret, body, headers["x-hub-signature-256"] ?? "").catch(() => false),
    stricter: {},
  },
  stripe: {
    scheme: "stripe",
    sign: (secret, payload, timestamp) => ({
      "stripe-signature": stripe.webhooks.generateTestHeaderString({
        payload,
        secret,
        timestamp: Number(timestamp),
      }),
    }),
    accepts: ({ headers, body, secret }) =>
      notThrown(() =>
        stripe.webhooks.constructEvent(body, headers["stripe-signature"] ?? "", secret),
      ),
    stricter: {
      "a timestamp from the future": (headers) => isAhead(lastTime(headers)),
      "a timestamp that is not plain seconds": (headers) => !isPlainSeconds(lastTime(headers)),
      "something behind a second equals sign": (headers) =>
        fields(headers).some((field) => field.length > 2),
    },
    laxer: {
      because: "an item that is nothing but v1 makes the SDK break off before it sees the others",
      applies: (headers) =>
        fields(headers).some(([name, value]) => name === "v1" && value === undefined),
    },
  },
  standardwebhooks: {
    scheme: "standard-webhooks",
    sign: (secret, body, timestamp, id) => sign.standard(secret, body, { timestamp, id }),
    accepts: ({ headers, body, secret }) =>
      notThrown(() => new StandardWebhook(secret).verify(body, headers, { jsonParse: false })),
    stricter: standardStricter,
  },
  svix: {
    scheme: "standard-webhooks",
    sign: (secret, body, timestamp, id) =>
      sign.standard(secret, body, { timestamp, id, brand: "svix" }),
    accepts: ({ headers, body, secret }) =>
      notThrown(() => new SvixWebhook(secret).verify(body, headers)),
    stricter: standardStricter,
  },
  "@shopify/shopify-api": {
    scheme: "shopify",
    sign: (secret, body) => ({ "x-shopify-hmac-sha256": getHmac(body, secret) }),
    accepts: async ({ headers, body, secret }) => {
      const rawRequest = { method: "POST", url: "/", headers: { ...shopifyHeaders, ...headers } };
      const app = shopifyApps.get(secret);
      return (await app?.webhooks.validate({ rawBody: body, rawRequest }))?.valid ?? false;
    },
    stricter: {},
  },
  "Slack, as documented and as its SDK reads the time": {
    scheme: "slack",
    sign: (secret, body, timestamp) => sign.slack(secret, body, timestamp),
    accepts: ({ headers, body, secret }) => {
      const time = headers["x-slack-request-timestamp"] ?? "";
      const [version, hex] = (headers["x-slack-signature"] ?? "").split("=");
      const isRecent = Number(time) >= NOW_SECONDS - 300;
      return isRecent && version === "v0" && hex === mac(secret, [`v0:${time}:${body}`], "hex");
    },
    stricter: {
      "a timestamp from the future": (headers) => isAhead(headers["x-slack-request-timestamp"]),
      "a timestamp that is not plain seconds": (headers) =>
        !isPlainSeconds(headers["x-slack-request-timestamp"]),
      "something behind a second equals sign": (headers) =>
        (headers["x-slack-signature"] ?? "").split("=").length > 2,
    },
  },
};

/** Ways a header value is damaged or rewritten; `other` is the same header signed by a stranger. */
const changes: readonly ((value: string, at: number, other: string) => string)[] = [
  (value) => value.toUpperCase(),
  (value) => value.slice(0, -1),
  (value, at) => value.slice(0, at % (value.length + 1)),
  (value, at) => flip(value, at % (value.length + 1)),
  (value) => ` ${value}`,
  (value) => `${value} `,
  (value) => `${value}=`,
  (value) => value.replace(/=+$/, ""),
  (value) => value.replaceAll("+", "-").replaceAll("/", "_"),
  (value) => value.replace("v1", "v0"),
  (value) => value.replace("v1", "v2"),
  (value) => value.replace("v0", "v1"),
  (value) => value.replace("sha256", "sha1"),
  (value) => value.replaceAll(",", ", "),
  (value) => value.replaceAll(" ", "  "),
  (value) => value.split(",").reverse().join(","),
  (value) => value.split(" ").reverse().join(" "),
  (value) => `${value},${value}`,
  (value, _, other) => `${value},${other}`,
  (value, _, other) => `${other},${value}`,
  (value, _, other) => `${value} ${other}`,
  (value, _, other) => `${other} ${value}`,
  (value) => `t=1,${value}`,
  (value) => `${value},t=1`,
  (value) => `${value},t=${NOW_SECONDS}`,
  (value) => `v1,AAAA ${value}`,
  (value) => `${value},trailer`,
  (value) => `${value}=trailer`,
  (value) => `${value}.9`,
  (value) => `0${value}`,
  (value) => value.replace("t=", "t=0"),
  (value) => `+${value}`,
  () => "",
];

function flip(value: string, at: number): string {
  return `${value.slice(0, at)}${value.charAt(at) === "0" ? "1" : "0"}${value.slice(at + 1)}`;
}

function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
}

const scenario = fc.record({
  body: fc.json({ maxDepth: 2 }),
  signer: fc.constantFrom(...SECRETS),
  secrets: fc.shuffledSubarray(SECRETS, { minLength: 1 }),
  offset: mostly(0, -31_536_000, -301, -300, -299, 299, 300, 301, 31_536_000),
  isFraction: mostly(false, true),
  id: mostly("msg_1", "msg.1"),
  bodyChange: mostly("", " ", "\n", "x"),
  headerChanges: fc.array(
    fc.record({ change: fc.constantFrom(...changes), header: fc.nat(2), at: fc.nat(100) }),
    { maxLength: 2 },
  ),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

function damaged(oracle: Oracle, made: Scenario): Headers {
  const timestamp = `${NOW_SECONDS + made.offset}${made.isFraction ? ".0" : ""}`;
  const headers = { ...oracle.sign(made.signer, made.body, timestamp, made.id) };
  const other = oracle.sign(STRANGER, made.body, timestamp, made.id);
  for (const { change, header, at } of made.headerChanges) {
    const name = Object.keys(headers)[header % Object.keys(headers).length] ?? "";
    headers[name] = change(headers[name] ?? "", at, other[name] ?? "");
  }
  return headers;
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW_MS, toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe.each(Object.entries(oracles))("against %s", (_, oracle) => {
  it("gives the same verdict on damaged requests or is stricter for a listed reason", async () => {
    const seen = { accepted: 0, refused: 0 };
    const reasonsSeen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(scenario, async (made) => {
        const headers = damaged(oracle, made);
        const body = made.body + made.bodyChange;
        const ours = verdictOf({ scheme: oracle.scheme, secrets: made.secrets }, headers, body);
        const theirs = await Promise.all(
          made.secrets.map((secret) => oracle.accepts({ headers, body, secret })),
        );
        seen[ours.ok ? "accepted" : "refused"] += 1;
        if (ours.ok) {
          const isLax = oracle.laxer?.applies(headers) ?? false;
          expect(theirs[ours.secretIndex ?? -1]).toBe(!isLax);
        } else if (theirs.includes(true)) {
          const reasons = Object.keys(oracle.stricter).filter((reason) =>
            oracle.stricter[reason]?.(headers),
          );
          expect(reasons, JSON.stringify({ headers, body })).not.toEqual([]);
          for (const reason of reasons) reasonsSeen.add(reason);
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(seen.accepted).toBeGreaterThan(RUNS / 20);
    expect(seen.refused).toBeGreaterThan(RUNS / 20);
    expect([...reasonsSeen].sort()).toEqual(Object.keys(oracle.stricter).sort());
  });
});

describe("where we accept and an SDK does not", () => {
  it("accepts a signed empty body, which Octokit, Stripe and Shopify refuse unread", async () => {
    for (const name of ["@octokit/webhooks-methods", "stripe", "@shopify/shopify-api"]) {
      const oracle = oracles[name];
      if (oracle === undefined) throw new Error(`no oracle ${name}`);
      const { scheme } = oracle;
      const headers = {
        github: sign.github(SECRET, ""),
        stripe: sign.stripe(SECRET, ""),
        shopify: sign.shopify(SECRET, ""),
      }[scheme as "github" | "stripe" | "shopify"];
      expect(verdictOf({ scheme, secrets: [SECRET] }, headers, "")).toEqual(accepted());
      expect(await oracle.accepts({ headers, body: "", secret: SECRET })).toBe(false);
    }
  });
});
