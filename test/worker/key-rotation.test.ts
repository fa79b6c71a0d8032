/** ENCRYPTION_KEY is replaced: nothing is lost while both are there, and what a missing key locks is told. */
import { createHmac, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import type { Router } from "../support/router.ts";
import { routerHere, stateHere } from "../support/router-here.ts";
import { eventually } from "../support/wait.ts";

const SECRET = "it's a secret to everybody";
const SIGNING = `whsec_${randomBytes(32).toString("base64")}`;
const [OLD = "", NEW = ""] = [1, 2].map(() => randomBytes(32).toString("base64"));

let sent = 0;

/** A signed webhook for the target `sink`, unlike any before. */
function send(router: Router, source = "acme/signed"): Promise<Response> {
  sent += 1;
  const body = JSON.stringify({ to: ["sink"], sent });
  const signature = createHmac("sha256", SECRET).update(body).digest("hex");
  return router.send(source, { body, headers: { "x-hub-signature-256": `sha256=${signature}` } });
}

/** A tenant with a signed source and a target with a signing secret and a token. */
async function prepare({ admin }: Router, url: string): Promise<void> {
  await admin.put("tenants/acme", {});
  await admin.put("tenants/acme/sources/signed", {
    verify: { scheme: "github", secrets: [SECRET, "another"] },
  });
  const target = { kind: "http", url, secrets: [SIGNING], headers: { "x-api-key": "token" } };
  await admin.put("tenants/acme/targets/sink", target);
  const pattern = { data: { to: ["sink"] } };
  await admin.put("tenants/acme/rules/all", { pattern, priority: "normal", targets: ["sink"] });
}

const secretsShown = async ({ admin }: Router) =>
  (await admin.get("tenants/acme/sources/signed")).body.verify.secrets;
const keysShown = async ({ admin }: Router) => (await admin.get("encryption")).body.items;

/** The same state under other keys. */
async function restarted(router: Router, vars: Record<string, string>): Promise<Router> {
  await router.stop();
  return routerHere({
    stateDirectory: router.stateDirectory,
    vars: { ...router.vars, ENCRYPTION_KEYS_OLD: "", ...vars },
  });
}

describe("a rotated key", () => {
  it("goes when the job has sealed all anew: webhooks, deliveries and uses are as before", async () => {
    const receiver = await receiverHere();
    const vars = { ENCRYPTION_KEY: OLD };
    const before = await routerHere({ stateDirectory: stateHere(), vars });
    await prepare(before, receiver.url);
    await accepted(send(before));
    const [used] = await eventually(
      () => secretsShown(before),
      (shown) => shown[0].lastUsedAt !== null,
    );

    const during = await restarted(before, { ENCRYPTION_KEY: NEW, ENCRYPTION_KEYS_OLD: OLD });
    expect(await secretsShown(during)).toMatchObject([
      { lastUsedAt: used.lastUsedAt },
      { lastUsedAt: null },
    ]);
    expect(await keysShown(during)).toMatchObject([
      { role: "current", resources: 0, removable: false },
      { role: "old", resources: 2, removable: false },
    ]);
    const begun = await during.admin.post("encryption/reseal");
    expect(begun).toMatchObject({ status: 202, body: { kind: "reseal", tenant: null, total: 2 } });
    const location = begun.headers.get("location")?.replace("/admin/", "") ?? "";
    await eventually(
      () => during.admin.get(location),
      ({ body }) => body.state === "done" && body.percent === 100 && body.finished === 2,
    );
    expect(await keysShown(during)).toMatchObject([
      { role: "current", resources: 2 },
      { role: "old", resources: 0, removable: true },
    ]);

    const after = await restarted(during, { ENCRYPTION_KEY: NEW });
    expect(await keysShown(after)).toHaveLength(1);
    const [first, second] = await secretsShown(after);
    expect(first).toEqual({ label: expect.any(String), lastUsedAt: used.lastUsedAt });
    expect(first.label).not.toBe(second.label);
    await accepted(send(after));
    const [one, two] = await receiver.waitFor(2);
    expect(one?.headers["x-api-key"]).toBe("token");
    expect(two?.headers["x-api-key"]).toBe("token");
    expect(two?.headers["webhook-signature"]).toMatch(/^v1,/);
  });
});

describe("a key that is missing", () => {
  it("locks what it sealed, which says so, and nothing else; nothing of it is lost", async () => {
    const receiver = await receiverHere();
    const vars = { ENCRYPTION_KEY: OLD };
    const before = await routerHere({ stateDirectory: stateHere(), vars });
    await prepare(before, receiver.url);
    await before.admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });

    const locked = await restarted(before, { ENCRYPTION_KEY: NEW });
    expect(await problemOf(send(locked))).toMatchObject({ status: 503, slug: "unavailable" });
    const [, missing] = await keysShown(locked);
    expect(missing).toMatchObject({ role: "missing", resources: 2, removable: false });
    const { body: source } = await locked.admin.get("tenants/acme/sources/signed");
    expect(source.locked).toEqual({
      key: missing.id,
      detail: expect.stringContaining("ENCRYPTION_KEYS_OLD"),
    });
    expect(source.verify).toEqual({ scheme: "github" });
    const target = { kind: "http", url: receiver.url };
    expect(await locked.admin.request("PUT", "tenants/acme/targets/sink", target)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining(missing.id) },
    });
    // The open source takes what comes; its delivery cannot be signed, and waits.
    const { id } = await accepted(send(locked, "acme/open"));
    await eventually(
      () => locked.admin.get(`tenants/acme/deliveries?event=${id}`),
      ({ body }) => body.items[0]?.state === "retrying",
    );
    expect(receiver.received).toEqual([]);
    expect(locked.lines.some((line) => line.includes("secrets-locked"))).toBe(true);
    for (const line of [...locked.lines, JSON.stringify(source)]) {
      for (const secret of [SECRET, SIGNING, OLD, NEW]) expect(line).not.toContain(secret);
    }

    const back = await restarted(locked, { ENCRYPTION_KEY: NEW, ENCRYPTION_KEYS_OLD: OLD });
    await accepted(send(back));
    const { body } = await back.admin.get(`tenants/acme/deliveries?event=${id}`);
    await back.admin.post(`tenants/acme/deliveries/${body.items[0].id}/redrive`);
    await receiver.waitFor(2);
  });

  it("is not needed for what is sent anew: secrets of a source, secrets and headers of a target", async () => {
    const receiver = await receiverHere();
    const vars = { ENCRYPTION_KEY: OLD };
    const before = await routerHere({ stateDirectory: stateHere(), vars });
    await prepare(before, receiver.url);
    const mended = await restarted(before, { ENCRYPTION_KEY: NEW });
    await prepare(mended, receiver.url);
    await accepted(send(mended));
    await receiver.waitFor(1);
    expect(await keysShown(mended)).toMatchObject([{ role: "current", resources: 2 }]);
  });
});
