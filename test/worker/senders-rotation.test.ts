/** A secret is changed without losing a webhook, and the old one ends when it is taken away. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { untilIdle } from "../support/idle.ts";
import { accepted } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

const OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const STRANGER = "whsec_cGxlYXNlIGRvIG5vdCB1c2UgdGhpcw==";
const NO_MATCH = { status: 401, slug: "signature-invalid", reason: "no-match" };

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});

afterAll(async () => {
  await router?.stop();
});

/** A tenant of its own with one source. */
async function newSource(tenant: string, ...secrets: string[]): Promise<void> {
  await router.admin.put(`tenants/${tenant}`, {});
  await putSecrets(tenant, ...secrets);
}

const putSecrets = (tenant: string, ...secrets: string[]) =>
  router.admin.put(`tenants/${tenant}/sources/hooks`, {
    verify: { scheme: "standard-webhooks", secrets },
  });

let sent = 0;
async function send(tenant: string, secret: string, at = new Date()): Promise<Response> {
  sent += 1;
  const [id, body] = [`msg_${sent}`, `{"n":${sent}}`];
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
  };
  return router.send(`${tenant}/hooks`, { body, headers });
}

/** When each secret was last used, as a read shows it. */
async function lastUses(tenant: string): Promise<(string | null)[]> {
  const { body } = await router.admin.get(`tenants/${tenant}/sources/hooks`);
  return body.verify.secrets.map((secret: { lastUsedAt: string | null }) => secret.lastUsedAt);
}

const isTime = (value: string | null | undefined): boolean =>
  !Number.isNaN(Date.parse(value ?? ""));

describe("a source with two secrets", () => {
  it("accepts both, and an event says which one it was", async () => {
    await newSource("rotating", OLD, NEW);
    const { id: byOld } = await accepted(send("rotating", OLD));
    const { id: byNew } = await accepted(send("rotating", NEW));
    await untilIdle(router);
    for (const [secretIndex, id] of [byOld, byNew].entries()) {
      const { body } = await router.admin.get(`tenants/rotating/events/${id}`);
      expect(body.verification).toMatchObject({ scheme: "standard-webhooks", secretIndex });
    }
  });

  it("refuses a third", async () => {
    await newSource("strict", OLD, NEW);
    expect(await problemOf(send("strict", STRANGER))).toMatchObject(NO_MATCH);
  });

  it("refuses the old one from the moment it is taken away, and goes on with the new", async () => {
    await newSource("rotated", OLD, NEW);
    await accepted(send("rotated", OLD));
    await putSecrets("rotated", NEW);
    expect(await problemOf(send("rotated", OLD))).toMatchObject(NO_MATCH);
    await accepted(send("rotated", NEW));
  });
});

describe("the last use of a secret", () => {
  it("is shown for the one that was used, without either's value", async () => {
    await newSource("watched", OLD, NEW);
    expect(await lastUses("watched")).toEqual([null, null]);
    const beforeMs = Date.now();
    await accepted(send("watched", NEW));
    const [old, used] = await eventually(
      () => lastUses("watched"),
      (uses) => uses.some(isTime),
    );
    expect(old).toBeNull();
    expect(Date.parse(used ?? "")).toBeGreaterThanOrEqual(beforeMs);
    const { body } = await router.admin.get("tenants/watched/sources/hooks");
    expect(JSON.stringify(body)).not.toMatch(/whsec_|C2FVsBQI/);
  });

  it("is not a request that was refused", async () => {
    await newSource("replayed", OLD, NEW);
    const longAgo = new Date(Date.now() - 400_000);
    expect(await problemOf(send("replayed", OLD, longAgo))).toMatchObject({
      reason: "timestamp-old",
    });
    await accepted(send("replayed", NEW));
    const uses = await eventually(
      () => lastUses("replayed"),
      (shown) => shown.some(isTime),
    );
    expect(uses.map(isTime)).toEqual([false, true]);
  });

  it("stays with its secret when another is put before it", async () => {
    await newSource("moved", OLD);
    await accepted(send("moved", OLD));
    await eventually(
      () => lastUses("moved"),
      (uses) => uses.some(isTime),
    );
    await putSecrets("moved", NEW, OLD);
    expect((await lastUses("moved")).map(isTime)).toEqual([false, true]);
  });
});
