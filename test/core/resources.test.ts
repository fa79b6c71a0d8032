/** Resources at rest: what is read back is what was saved, and no secret stays in the document. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeBase64 } from "../../src/core/bytes.ts";
import { STANDARD_LADDER } from "../../src/core/deliver/retry.ts";
import type { SigningSecret } from "../../src/core/deliver/signing-keys.ts";
import { limitOf, type SourceBody, sourceOf, storeSource } from "../../src/core/resources.ts";
import { type HttpTargetBody, storeTarget, targetOf } from "../../src/core/stored-target.ts";
import type { VerifyConfig } from "../../src/core/verify/config.ts";

/** Such a text is nowhere but where a secret stands, so that finding it means a leak. */
const secret = fc.uuid().map((id) => `s3cret-${id}`);
const secrets = fc.array(secret, { minLength: 1, maxLength: 3 });
const name = fc.constantFrom("x-acme-signature", "x-key", "authorization");

const verify: fc.Arbitrary<VerifyConfig> = fc.oneof(
  fc.constant({ scheme: "none" } as const),
  fc.record({ scheme: fc.constant("basic" as const), username: fc.string(), password: secret }),
  fc.record({ scheme: fc.constant("api-key" as const), header: name, keys: secrets }),
  fc.record(
    {
      scheme: fc.constantFrom("github", "stripe", "standard-webhooks", "slack", "shopify"),
      secrets,
      toleranceSeconds: fc.nat(),
    },
    { requiredKeys: ["scheme", "secrets"] },
  ),
  fc.record(
    {
      scheme: fc.constant("hmac" as const),
      header: name,
      algorithm: fc.constantFrom("sha1", "sha256", "sha512"),
      encoding: fc.constantFrom("hex", "base64"),
      prefix: fc.string(),
      secrets,
    },
    { requiredKeys: ["scheme", "header", "algorithm", "encoding", "secrets"] },
  ),
);

const source: fc.Arbitrary<SourceBody> = fc.record(
  {
    verify,
    idempotencyKey: fc.record({ from: fc.constant("header" as const), name }),
    bytesMax: fc.nat(),
  },
  { requiredKeys: ["verify"] },
);

const signing = fc
  .uint8Array({ minLength: 24, maxLength: 64 })
  .map((bytes) => `whsec_${encodeBase64(bytes)}`);
const time = fc.integer({ min: 0, max: 4e12 }).map((timeMs) => new Date(timeMs).toISOString());
const secretOf = (given: SigningSecret) => (typeof given === "string" ? given : given.secret);
const CREDENTIAL_HEADERS = ["Authorization", "X-Auth-Token", "x-api-key", "Cookie"];
const OPEN_HEADERS = ["X-Region", "accept-language"];

const noSaga = () => null;

const target: fc.Arbitrary<HttpTargetBody> = fc.record(
  {
    kind: fc.constant("http" as const),
    url: fc.constant("https://receiver.example.com/in"),
    headers: fc
      .tuple(
        fc.dictionary(fc.constantFrom(...CREDENTIAL_HEADERS), secret),
        fc.dictionary(fc.constantFrom(...OPEN_HEADERS), fc.constant("open")),
      )
      .map(([credentials, open]) => ({ ...open, ...credentials })),
    auth: fc.oneof(
      fc.record({ scheme: fc.constant("bearer" as const), token: secret }),
      fc.record({ scheme: fc.constant("basic" as const), username: name, password: secret }),
      fc.constant({ scheme: "none" as const }),
    ),
    secrets: fc.array(fc.oneof(signing, fc.record({ secret: signing, notAfter: time })), {
      maxLength: 3,
    }),
    timeoutMs: fc.nat(),
    paused: fc.boolean(),
  },
  { requiredKeys: ["kind", "url"] },
);

/** As a store does: a document in text, secrets sealed apart. */
const read = <Doc>(doc: Doc): Doc => JSON.parse(JSON.stringify(doc)) as Doc;

describe("a stored source", () => {
  it("is what was saved", () => {
    fc.assert(
      fc.property(source, (body) => {
        const stored = storeSource(body);
        const {
          id,
          verify: restored,
          ...rest
        } = sourceOf(
          "shop",
          { doc: read(stored.doc), secrets: read(stored.secrets) },
          (secret) => `id of ${secret}`,
        );
        expect(id).toBe("shop");
        expect(restored).toEqual(body.verify);
        expect(rest.bytesMax).toBe(body.bytesMax ?? 1_000_000);
        expect(rest.idempotencyKey).toEqual(body.idempotencyKey);
      }),
    );
  });

  it("has no secret in its document", () => {
    fc.assert(
      fc.property(source, (body) => !JSON.stringify(storeSource(body).doc).includes("s3cret-")),
    );
  });

  it("keeps every secret, in order", () => {
    const { doc, secrets: kept } = storeSource({
      verify: { scheme: "github", secrets: ["new", "old"] },
    });
    expect(kept).toEqual({ values: ["new", "old"] });
    expect(doc).toEqual({ verify: { scheme: "github" } });
  });

  it("that lost its secrets accepts nothing instead of everything", () => {
    const stored = storeSource({ verify: { scheme: "github", secrets: ["new"] } });
    const restored = sourceOf("shop", { doc: stored.doc, secrets: null }, String);
    expect(restored.verify).toEqual({ scheme: "github", secrets: [] });
  });
});

describe("a stored target", () => {
  it("sends the headers that were saved, by lower-case name", () => {
    fc.assert(
      fc.property(target, (body) => {
        const stored = storeTarget(body);
        const { headers } = targetOf(
          "pager",
          { doc: read(stored.doc), secrets: read(stored.secrets) },
          noSaga,
        );
        const wanted = Object.entries(body.headers ?? {});
        expect(headers).toEqual(
          Object.fromEntries(wanted.map(([each, value]) => [each.toLowerCase(), value])),
        );
      }),
    );
  });

  it("has no signing secret and no credential header in its document", () => {
    fc.assert(
      fc.property(target, (body) => {
        const json = JSON.stringify(storeTarget(body).doc);
        expect(json).not.toContain("s3cret-");
        for (const each of body.secrets ?? []) expect(json).not.toContain(secretOf(each));
      }),
    );
  });

  it("proves who calls as it was saved, and sends nothing without what does", () => {
    fc.assert(
      fc.property(target, (body) => {
        const { doc, secrets: kept } = read(storeTarget(body));
        const { auth } = targetOf("pager", { doc, secrets: kept }, noSaga);
        const wanted = body.auth?.scheme === "none" ? undefined : body.auth;
        expect(auth).toEqual(wanted);
        const lost = targetOf("pager", { doc, secrets: null }, noSaga);
        expect(lost.isLocked === true).toBe(wanted !== undefined);
      }),
    );
  });

  it("signs with every secret that was saved, each until its own time", () => {
    fc.assert(
      fc.property(target, (body) => {
        const { signingKeys } = targetOf("pager", read(storeTarget(body)), noSaga);
        const given = signingKeys.map(({ bytes, notAfterMs }) => {
          const secret = `whsec_${encodeBase64(bytes)}`;
          return notAfterMs === null
            ? secret
            : { secret, notAfter: new Date(notAfterMs).toISOString() };
        });
        expect(given).toEqual(body.secrets ?? []);
      }),
    );
  });

  it("without settings has the documented ones", () => {
    const body: HttpTargetBody = { kind: "http", url: "https://receiver.example.com/" };
    expect(targetOf("pager", storeTarget(body), noSaga)).toEqual({
      id: "pager",
      url: body.url,
      headers: {},
      signingKeys: [],
      timeoutMs: 15_000,
      retry: STANDARD_LADDER,
      gate: { concurrency: 6, perSecond: null, perDay: null, isAdaptive: false, isSet: false },
      closed: null,
      saga: null,
    });
  });

  it("that was permitted at a rate keeps it, and the stricter one where it has one of its own", () => {
    const body: HttpTargetBody = { kind: "http", url: "https://receiver.example.com/" };
    const gateOf = (ratePerMinute: number | null, gate: HttpTargetBody["gate"] = undefined) => {
      const { doc, secrets } = storeTarget(gate === undefined ? body : { ...body, gate });
      const permission = { origin: "*", ratePerMinute, at: "2026-01-01T00:00:00.000Z" };
      return targetOf("pager", { doc: { ...doc, permission } as typeof doc, secrets }, noSaga).gate;
    };
    expect(gateOf(120)).toMatchObject({ perSecond: 2, isSet: true });
    expect(gateOf(120, { perSecond: 1 }).perSecond).toBe(1);
    expect(gateOf(120, { perSecond: 5, perDay: 10 })).toMatchObject({ perSecond: 2, perDay: 10 });
    expect(gateOf(null)).toMatchObject({ perSecond: null, isSet: false });
  });

  it("of a saga knows its definition, and that there is none any more", () => {
    const definition = { version: 3, createdAtMs: 1, doc: { steps: [] } };
    const stored = storeTarget({ kind: "saga", saga: "order", paused: true });
    expect(targetOf("orders", stored, () => definition)).toMatchObject({
      saga: { name: "order", definition },
      closed: "paused",
    });
    expect(targetOf("orders", stored, noSaga).saga).toEqual({ name: "order", definition: null });
  });

  it("of kind event publishes under its own name unless it has a source", () => {
    const other = (body: object) => {
      const stored = storeTarget({ kind: "event", ...body });
      return targetOf("again", stored, noSaga).other;
    };
    expect(other({})).toEqual({ kind: "event", source: "again", type: null });
    expect(other({ source: "s", type: "t" })).toEqual({ kind: "event", source: "s", type: "t" });
  });

  it("of kind service is called at its path, or by a method", () => {
    const target = (body: object) =>
      targetOf("sink", storeTarget({ kind: "service", service: "billing", ...body }), noSaga);
    expect(target({ path: "/in", timeoutMs: 500, gate: { concurrency: 2 } })).toMatchObject({
      ...{ url: "https://billing/in", timeoutMs: 500, saga: null },
      other: { kind: "service", service: "billing", method: null },
      gate: { concurrency: 2, isSet: true },
    });
    expect(target({ method: "take" })).toMatchObject({ other: { method: "take" } });
    const queue = targetOf("sink", storeTarget({ kind: "queue", queue: "orders" }), noSaga);
    expect(queue.other).toEqual({ kind: "queue", queue: "orders" });
  });

  it("is closed while it is paused, and disabled rather than paused when it is both", () => {
    const { doc, secrets: kept } = storeTarget({
      kind: "http",
      url: "https://a.example",
      paused: true,
    });
    expect(targetOf("pager", { doc, secrets: kept }, noSaga).closed).toBe("paused");
    const disabled = { reason: "410", at: "2026-01-01T00:00:00.000Z" };
    expect(targetOf("pager", { doc: { ...doc, disabled }, secrets: kept }, noSaga).closed).toBe(
      "disabled",
    );
  });
});

describe("a limit", () => {
  it("that is not given is none", () => {
    expect(limitOf(undefined)).toBeNull();
  });

  it("takes a second's events for its burst, at least one, and refuses what is above", () => {
    const limit = (eventsPerSecond: number) => limitOf({ eventsPerSecond });
    expect(limit(2.5)).toEqual({ perSecond: 2.5, burst: 3, overflow: "reject" });
    expect(limit(0.1)).toEqual({ perSecond: 0.1, burst: 1, overflow: "reject" });
  });
});
