/** What the presets accept and refuse: first all of them, then each by itself. */
import { describe, expect, it } from "vitest";
import type { VerifyConfig } from "../../../src/core/verify/config.ts";
import type { PresetScheme } from "../../../src/core/verify/presets.ts";
import { verify } from "../../../src/core/verify/verify.ts";
import { nodeCrypto, nodeText } from "../../support/node-crypto.ts";
import {
  accepted,
  type Body,
  type Headers,
  mac,
  NOW_MS,
  NOW_SECONDS,
  refused,
  requestOf,
  sign,
  verdictOf,
} from "./sender.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const BODY = '{"type":"contact.created","id":"evt_1"}';

const signers = {
  github: sign.github,
  stripe: (secret, body) => sign.stripe(secret, body),
  "standard-webhooks": (secret, body) => sign.standard(secret, body),
  slack: (secret, body) => sign.slack(secret, body),
  shopify: sign.shopify,
} satisfies Record<PresetScheme, (secret: string, body: Body) => Headers>;
const schemes = Object.keys(signers) as PresetScheme[];

const config = (scheme: PresetScheme, ...secrets: string[]): VerifyConfig => ({ scheme, secrets });

describe.each(schemes)("every preset: %s", (scheme) => {
  const genuine = signers[scheme](SECRET, BODY);
  const verdict = (secrets: string[], headers: Headers, body: Body = BODY) =>
    verdictOf(config(scheme, ...secrets), headers, body);

  it("accepts what the sender signed", () => {
    expect(verdict([SECRET], genuine)).toEqual(accepted(0));
  });

  it("accepts bytes that are no UTF-8, and refuses what they become as text", () => {
    const bytes = Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d]);
    const headers = signers[scheme](SECRET, bytes);
    expect(verdict([SECRET], headers, bytes)).toEqual(accepted(0));
    expect(verdict([SECRET], headers, bytes.toString("utf8"))).toEqual(refused("no-match"));
  });

  it("says which of several secrets it was, so that a rotation can be watched", () => {
    expect(verdict([OTHER, SECRET], genuine)).toEqual(accepted(1));
    expect(verdict([SECRET, SECRET], genuine)).toEqual(accepted(0));
    expect(verdict(["", SECRET], genuine)).toEqual(accepted(1));
  });

  it("refuses another secret", () => {
    expect(verdict([OTHER], genuine)).toEqual(refused("no-match"));
  });

  it("refuses a body that differs by one byte", () => {
    for (const body of [`${BODY} `, BODY.slice(1), BODY.replace("1", "2"), ""]) {
      expect(verdict([SECRET], genuine, body)).toEqual(refused("no-match"));
    }
  });

  it.each(Object.keys(genuine))("refuses a request whose %s is absent or empty", (name) => {
    const { [name]: _, ...rest } = genuine;
    expect(verdict([SECRET], rest)).toEqual(refused("missing-header"));
    expect(verdict([SECRET], { ...rest, [name]: "" })).toEqual(refused("missing-header"));
  });

  it("refuses everything when no secret is left that could verify", () => {
    expect(verdict([], genuine)).toEqual(refused("no-match"));
    for (const blank of ["", "   ", "\t\n"]) {
      expect(verdict([blank], signers[scheme](blank, BODY))).toEqual(refused("no-match"));
    }
  });

  it("tries every secret, also after one has matched", () => {
    const compared = (...secrets: string[]) => {
      let count = 0;
      const counting = {
        ...nodeCrypto,
        equal: (a: Uint8Array, b: Uint8Array) => {
          count += 1;
          return nodeCrypto.equal(a, b);
        },
      };
      verify(config(scheme, ...secrets), requestOf(genuine, BODY), counting, nodeText);
      return count;
    };
    expect(compared(SECRET, OTHER, OTHER)).toBe(3);
    expect(compared(OTHER, OTHER, SECRET)).toBe(3);
  });
});

const timestamped = {
  stripe: (timestamp: number | string) => sign.stripe(SECRET, BODY, timestamp),
  "standard-webhooks": (timestamp: number | string) => sign.standard(SECRET, BODY, { timestamp }),
  slack: (timestamp: number | string) => sign.slack(SECRET, BODY, timestamp),
};

describe.each(Object.keys(timestamped) as (keyof typeof timestamped)[])(
  "presets with a timestamp: %s",
  (scheme) => {
    const verdict = (timestamp: number | string, toleranceSeconds?: number) =>
      verdictOf(
        { scheme, secrets: [SECRET], toleranceSeconds },
        timestamped[scheme](timestamp),
        BODY,
      );

    it("accepts up to five minutes of age and of haste", () => {
      for (const offset of [-300, -1, 0, 1, 300]) {
        expect(verdict(NOW_SECONDS + offset)).toEqual(accepted());
      }
    });

    it("refuses a genuine request a second older", () => {
      expect(verdict(NOW_SECONDS - 301)).toEqual(refused("timestamp-old"));
      expect(verdict(0)).toEqual(refused("timestamp-old"));
    });

    it("refuses a genuine request from a second further ahead", () => {
      expect(verdict(NOW_SECONDS + 301)).toEqual(refused("timestamp-new"));
      expect(verdict(999_999_999_999_999)).toEqual(refused("timestamp-new"));
    });

    it("keeps to the source's own tolerance", () => {
      expect(verdict(NOW_SECONDS - 301, 301)).toEqual(accepted());
      expect(verdict(NOW_SECONDS - 1, 0)).toEqual(refused("timestamp-old"));
      expect(verdict(NOW_SECONDS + 1, 0)).toEqual(refused("timestamp-new"));
      expect(verdict(NOW_SECONDS, 0)).toEqual(accepted());
    });

    it.each([
      " 1",
      "1 ",
      "+1",
      "-1",
      "1.5",
      "1e9",
      "0x10",
      "01",
      "1s",
      "NaN",
      "Infinity",
      "1234567890123456",
    ])("refuses a signed timestamp that is not plain seconds: %j", (timestamp) => {
      const seconds = timestamp.replace("1", String(NOW_SECONDS));
      expect(verdict(seconds)).toEqual(refused("no-match"));
    });

    it("says nothing of the clock to who has no signature", () => {
      const headers = timestamped[scheme](1);
      expect(verdictOf(config(scheme, OTHER), headers, BODY)).toEqual(refused("no-match"));
    });
  },
);

describe("GitHub", () => {
  const verdict = (headers: Headers) => verdictOf(config("github", SECRET), headers, BODY);

  it("refuses the SHA-1 signature, alone or with a wrong SHA-256 one", () => {
    const sha1 = `sha1=${mac(SECRET, [BODY], "hex", "sha1")}`;
    expect(verdict({ "x-hub-signature": sha1 })).toEqual(refused("missing-header"));
    expect(verdict({ "x-hub-signature": sha1, "x-hub-signature-256": sha1 })).toEqual(
      refused("no-match"),
    );
  });

  it("refuses a signature without its prefix, in capitals, or cut", () => {
    const { "x-hub-signature-256": value = "" } = sign.github(SECRET, BODY);
    const hex = value.slice("sha256=".length);
    for (const bad of [hex, `sha256=${hex.toUpperCase()}`, value.slice(0, -1), `${value}0`]) {
      expect(verdict({ "x-hub-signature-256": bad })).toEqual(refused("no-match"));
    }
  });
});

describe("Stripe", () => {
  const verdict = (value: string) =>
    verdictOf(config("stripe", SECRET), { "stripe-signature": value }, BODY);
  const t = `t=${NOW_SECONDS}`;
  const hex = mac(SECRET, [`${NOW_SECONDS}.${BODY}`], "hex");

  it("accepts the right signature wherever it stands in the list", () => {
    expect(verdict(`${t},v1=${"0".repeat(64)},v1=${hex}`)).toEqual(accepted());
    expect(verdict(`v1=${hex},v0=${hex},${t}`)).toEqual(accepted());
  });

  it("refuses the test mode's v0 and versions it does not know", () => {
    for (const version of ["v0", "v2", "V1", " v1"]) {
      expect(verdict(`${t},${version}=${hex}`)).toEqual(refused("no-match"));
    }
  });

  it("refuses a header without a time", () => {
    expect(verdict(`v1=${hex}`)).toEqual(refused("no-match"));
  });
});

describe("Standard Webhooks", () => {
  const verdict = (headers: Headers, secret = SECRET) =>
    verdictOf(config("standard-webhooks", secret), headers, BODY);
  const genuine = sign.standard(SECRET, BODY);
  const signature = genuine["webhook-signature"] ?? "";

  it("accepts one right signature among several", () => {
    for (const list of [
      `${sign.standard(OTHER, BODY)["webhook-signature"]} ${signature}`,
      `v1a,x ${signature}`,
    ]) {
      expect(verdict({ ...genuine, "webhook-signature": list })).toEqual(accepted());
    }
  });

  it("accepts the headers under Svix's names", () => {
    expect(verdict(sign.standard(SECRET, BODY, { brand: "svix" }))).toEqual(accepted());
  });

  it("accepts a secret without its prefix or its padding, as the SDK does", () => {
    for (const secret of [SECRET.slice(6), "whsec_c2VjcmV0IQ", "c2VjcmV0IQ=="]) {
      expect(verdict(sign.standard(secret, BODY), secret)).toEqual(accepted());
    }
  });

  it("refuses an id and a time under one name with the signature under the other", () => {
    const { "webhook-signature": _, ...rest } = genuine;
    expect(verdict({ ...rest, "svix-signature": signature })).toEqual(refused("missing-header"));
  });

  it("refuses the signature of an unknown version", () => {
    for (const version of ["v0", "v1a", "v2", "V1", ""]) {
      const list = signature.replace("v1", version);
      expect(verdict({ ...genuine, "webhook-signature": list })).toEqual(refused("no-match"));
    }
  });

  it("refuses an id with a dot, behind which the body could have been cut", () => {
    expect(verdict(sign.standard(SECRET, BODY, { id: "msg.1" }))).toEqual(refused("no-match"));
  });

  it("refuses secrets that are not base64: they have no text form", () => {
    for (const secret of ["whsec_", "whsec_not base64", "whsec_a-b_", "pass-word", "whsec_A"]) {
      const key = secret.replace("whsec_", "");
      const value = `v1,${mac(key, [`msg_1.${NOW_SECONDS}.${BODY}`], "base64")}`;
      expect(verdict({ ...genuine, "webhook-signature": value }, secret)).toEqual(
        refused("no-match"),
      );
    }
  });
});

describe("Slack", () => {
  const DOCUMENTED = {
    secret: "8f742231b10e8888abcd99yyyzzz85a5",
    timestamp: "1531420618",
    body:
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&" +
      "channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&" +
      "command=%2Fwebhook-collect&text=&" +
      "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F9" +
      "6rGlfmibIGlgcZRskXaIFfN&" +
      "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    signature: "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
  };
  const headers = {
    "x-slack-signature": DOCUMENTED.signature,
    "x-slack-request-timestamp": DOCUMENTED.timestamp,
  };

  it("accepts the example of Slack's documentation at its time, and refuses it today", () => {
    const then = Number(DOCUMENTED.timestamp) * 1000;
    const slack = config("slack", DOCUMENTED.secret);
    expect(verdictOf(slack, headers, DOCUMENTED.body, then)).toEqual(accepted());
    expect(verdictOf(slack, headers, DOCUMENTED.body, NOW_MS)).toEqual(refused("timestamp-old"));
  });
});

describe("Shopify", () => {
  it("accepts the header of Events deliveries too", () => {
    const headers = { "shopify-hmac-sha256": mac(SECRET, [BODY], "base64") };
    expect(verdictOf(config("shopify", SECRET), headers, BODY)).toEqual(accepted());
  });

  it("refuses hex, unpadded and url-safe signatures", () => {
    const base64 = mac(SECRET, [BODY], "base64");
    const spellings = [mac(SECRET, [BODY], "hex"), base64.replace("=", ""), `${base64}=`];
    for (const value of [...spellings, base64.replace(/[+/]/g, "_").replace("=", ".")]) {
      const headers = { "x-shopify-hmac-sha256": value };
      expect(verdictOf(config("shopify", SECRET), headers, BODY)).toEqual(refused("no-match"));
    }
  });
});
