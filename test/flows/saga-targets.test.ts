/** Steps whose requests go to a target of the tenant: by its URL, headers, secrets and timeout of that moment. */
import { describe, expect, it } from "vitest";
import { keyOfSecret, type SigningKey } from "../../src/core/deliver/signing-keys.ts";
import type { HttpDoc } from "../../src/core/saga/definition.ts";
import { pack } from "../../src/core/saga/text.ts";
import type { Target } from "../../src/core/tenant.ts";
import type { SagaConfig } from "../../src/ports/saga.ts";
import { tenantOf } from "../support/memory-tenants.ts";
import { response } from "../support/memory-transport.ts";
import { createSagaWorld, step } from "./saga-instance.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const keys = (...secrets: string[]) => secrets.flatMap((secret) => keyOfSecret(secret, null) ?? []);

function worldWith(erp: Partial<Target> | null) {
  const state = { erp };
  const config: Partial<SagaConfig> = {
    async target(tenant, id) {
      if (tenant !== "acme" || state.erp === null) return null;
      return tenantOf(tenant, 1, { targets: { erp: state.erp } }).targets.get(id) ?? null;
    },
  };
  return { state, world: createSagaWorld({}, config) };
}

const toErp = (more: Partial<HttpDoc> = {}) => ({ http: { target: "erp", ...more } });
describe("a step that names a target", () => {
  it("goes to its URL and the step's path, with the headers of both", async () => {
    const { world } = worldWith({ url: "https://erp.example.com/v1/?tenant=7" });
    world.transport.answer = ({ url }) => ({
      ...{ kind: "response", status: 200, retryAfterMs: null },
      body: url.includes("reserve") ? '{"id":"r/1"}' : "",
    });
    await world.start([
      step("reserve", { action: toErp({ path: "/reserve" }) }),
      step("confirm", { action: toErp({ path: "/by/{{$.steps.reserve.output.id}}?now=1" }) }),
    ]);
    expect(world.transport.sent.map(({ url }) => url)).toEqual([
      "https://erp.example.com/v1/reserve?tenant=7",
      "https://erp.example.com/v1/by/r%2F1?now=1&tenant=7",
    ]);
  });

  it("is signed by Standard Webhooks with each of its secrets, under the idempotency key", async () => {
    const { world } = worldWith({
      signingKeys: keys(SECRET, NEXT),
      headers: { authorization: "Bearer t-secret", "x-of": "target" },
    });
    const http = { body: { n: "$.input.n" }, headers: { "X-Of": "step" } };
    await world.start([step("a", { action: toErp(http) })]);
    const [sent] = world.transport.sent;
    expect(Object.fromEntries(sent?.headers ?? [])).toMatchObject({
      ...{ "webhook-id": "sbx_sga_1_a_a_0", "idempotency-key": "sbx_sga_1_a_a_0" },
      ...{ authorization: "Bearer t-secret", "x-of": "step" },
    });
  });

  it("that is undone signs its undo under the undo's own key", async () => {
    const { world } = worldWith({ signingKeys: keys(SECRET) });
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 200);
    await world.start([step("a", { compensate: toErp() }), step("b")]);
    const undo = world.transport.sent.at(-1);
    expect(undo?.headers.get("webhook-id")).toBe("sbx_sga_1_a_c_0");
    expect(undo?.headers.has("webhook-signature")).toBe(true);
    expect(world.transport.sent[0]?.headers.has("webhook-id")).toBe(false);
  });

  it("is signed anew at each attempt, by the secrets and to the URL of that moment", async () => {
    const { world, state } = worldWith({ signingKeys: keys(SECRET) });
    world.transport.answer = () => response(world.transport.sent.length === 1 ? 503 : 200);
    await world.start([step("a", { action: toErp({ body: { n: 1 } }) })]);
    state.erp = { signingKeys: keys(NEXT), url: "https://erp.example.net/" };
    await world.pass(30);
    const [first, second] = world.transport.sent;
    expect(second?.url).toBe("https://erp.example.net/");
    expect(second?.body).toEqual(first?.body);
    const times = [first, second].map((sent) => Number(sent?.headers.get("webhook-timestamp")));
    expect(times[1]).toBeGreaterThan(times[0] ?? 0);
    const signed = [first, second].map((sent) => sent?.headers.get("webhook-signature"));
    expect(new Set(signed).size).toBe(2);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("shows what its target asks for as proof of who calls", async () => {
    const { world } = worldWith({ auth: { scheme: "bearer", token: "t-secret" } });
    await world.start([step("a", { action: toErp() })]);
    expect(world.transport.sent[0]?.headers.get("authorization")).toBe("Bearer t-secret");
  });

  it("leaves no secret, signature or sealed header in its journal", async () => {
    const headers = { authorization: "Bearer t-secret" };
    const { world } = worldWith({ signingKeys: keys(SECRET), headers });
    await world.start([step("a", { action: toErp({ body: { n: 1 } }) })]);
    const signature = world.transport.sent[0]?.headers.get("webhook-signature") ?? "none";
    const kept = pack(world.journal().rows);
    expect(signature).toMatch(/^v1,/);
    for (const secret of [signature, "t-secret", SECRET.slice(6)])
      expect(kept).not.toContain(secret);
  });

  it("waits as long as its target does, unless it says otherwise itself", async () => {
    const { world } = worldWith({ timeoutMs: 2_500 });
    await world.start([
      step("a", { action: toErp() }),
      step("b", { action: toErp(), timeoutSeconds: 4 }),
      step("c"),
    ]);
    expect(world.transport.sent.map(({ timeoutMs }) => timeoutMs)).toEqual([2_500, 4_000, 10_000]);
  });
});

describe("nothing is sent", () => {
  it.each([
    ["does not exist", null, /not sent: there is no http target "erp"/],
    [
      "has secrets that have all expired",
      { signingKeys: [keyOfSecret(SECRET, "2020-01-01T00:00:00Z") as SigningKey] },
      /secrets of the target "erp" have all expired/,
    ],
    ["has secrets that no key opens", { isLocked: true }, /secrets of the target "erp" are locked/],
  ] as const)(
    "to a target that %s; the step is tried again, then in a person's hands",
    async (_, erp, why) => {
      const { world, state } = worldWith(erp);
      await world.start([step("a", { action: toErp() })]);
      expect((await world.view()).steps[0]?.error).toMatch(why);
      expect(world.transport.sent).toEqual([]);
      state.erp = {};
      await world.pass(30);
      expect((await world.view()).status).toBe("COMPLETED");
    },
  );

  it("while a target cannot be read, and the step is in doubt rather than refused", async () => {
    const { world } = worldWith({});
    const broken = createSagaWorld({}, { target: async () => Promise.reject(new Error("down")) });
    await broken.start([step("a", { action: toErp() })]);
    expect(await broken.view()).toMatchObject({ steps: [{ state: "unknown", attempts: 1 }] });
    expect(world.transport.sent).toEqual([]);
  });

  it("while the read of a target does not end; the step is asked again, and the saga goes on", async () => {
    let isHung = true;
    const target = { targets: { erp: {} } };
    const world = createSagaWorld(
      {},
      {
        async target(tenant, id) {
          if (isHung) await new Promise(() => {});
          return tenantOf(tenant, 1, target).targets.get(id) ?? null;
        },
      },
    );
    await world.start([step("a", { action: toErp() })]);
    isHung = false;
    await world.pass(60);
    expect(await world.view()).toMatchObject({ status: "COMPLETED", steps: [{ attempts: 2 }] });
  });

  it.each(["..", ".", "%2e%2e"])("where an event's %s would make another path", async (id) => {
    const { world } = worldWith({});
    world.transport.answer = () => ({
      ...{ kind: "response", status: 200, retryAfterMs: null, body: JSON.stringify({ id }) },
    });
    await world.start([
      step("a"),
      step("b", { action: toErp({ path: "/orders/{{$.steps.a.output.id}}/ship" }) }),
    ]);
    const isKept = id.startsWith("%");
    expect(world.paths()).toEqual(isKept ? ["a", "orders/%252e%252e/ship"] : ["a", "un-a"]);
  });
});

describe("a target whose address is refused", () => {
  it("at the first attempt fails the step; later it leaves it in doubt", async () => {
    const { world } = worldWith({});
    world.transport.answer = () =>
      world.transport.sent.length === 1
        ? { kind: "timeout" }
        : { kind: "refused", detail: "private address" };
    await world.start([step("a", { action: toErp() })]);
    await world.pass(15);
    expect(await world.view()).toMatchObject({ status: "RUNNING", steps: [{ state: "unknown" }] });
    // Also when its attempts are counted anew, to settle it or because a person asks for it.
    await world.pass(60);
    const inDoubt = { status: "STUCK", reason: expect.stringMatching(/a is in doubt/) };
    expect(await world.view()).toMatchObject(inDoubt);
    await world.command("retry-step", undefined, { step: "a" });
    await world.pass(60);
    expect(await world.view()).toMatchObject(inDoubt);
    const { world: other } = worldWith({});
    other.transport.answer = () => ({ kind: "refused", detail: "private address" });
    await other.start([step("a", { action: toErp() })]);
    expect(await other.view()).toMatchObject({
      ...{ status: "COMPENSATED", steps: [{ state: "rejected", compensation: "not-needed" }] },
    });
  });
});
