/** A tenant is deleted: its job removes all that it left, another tenant's things stay. */
import { describe, expect, it } from "vitest";
import { inTurn, receiverHere, status } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import type { Router } from "../support/router.ts";
import { routerHere, stateHere } from "../support/router-here.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

const TIMEOUT_MS = 120_000;
/** Too big for a message: it rests in an object of its own. */
const BIG = "x".repeat(100_000);

/** A delivered event, a big one and a dead letter; answers how to read each. */
async function fill(router: Router, id: string): Promise<string[]> {
  const well = await receiverHere(status(200));
  const ill = await receiverHere(inTurn(status(500)));
  const tenant = await prepareTenant(router, id, {
    well: { url: well.url },
    ill: { url: ill.url, retry: { delaysSeconds: [] } },
  });
  const event = await tenant.send("well", "ill");
  const body = JSON.stringify({ to: ["well"], BIG });
  const big = await accepted(router.send(`${id}/open`, { body }));
  const deliveries = [
    await tenant.delivery(event.id, "well", "delivered"),
    await tenant.delivery(event.id, "ill", "dead"),
    await tenant.delivery(big.id, "well", "delivered"),
  ];
  return [
    ...deliveries.map((delivery) => `${tenant.path}/deliveries/${delivery.id}`),
    ...[event, big].map((each) => `${tenant.path}/events/${each.id}/body`),
  ];
}

const statusesOf = (router: Router, paths: readonly string[]): Promise<number[]> =>
  Promise.all(
    paths.map(async (path) => {
      const { status: code } = await fetch(`${router.url}/admin/${path}`, {
        headers: { authorization: `Bearer ${router.vars.ADMIN_TOKEN}` },
      });
      return code;
    }),
  );

function deletion(router: Router, tenant: string): Promise<Response> {
  return fetch(`${router.url}/admin/tenants/${tenant}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${router.vars.ADMIN_TOKEN}` },
  });
}

describe("a deleted tenant", () => {
  it("is removed by a job that a restart does not stop, and made anew it has nothing of before", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const stateDirectory = stateHere();
    const first = await routerHere({ stateDirectory });
    const [gone, stays] = [await fill(first, "acme"), await fill(first, "acme-2")];
    // An event's bytes are in the archive a moment after its delivery.
    await eventually(
      () => statusesOf(first, [...gone, ...stays]),
      (codes) => codes.every((code) => code === 200),
    );

    const answer = await deletion(first, "acme");
    expect(answer.status).toBe(204);
    const location = answer.headers.get("location") ?? "";
    expect(location).toMatch(/^\/admin\/tenants\/acme\/jobs\/job_/);
    const path = location.replace("/admin/", "");
    expect((await first.send("acme/open", { body: "{}" })).status).toBe(404);
    // Three deliveries, the segment and the big one: at once, but it waits for consumers that may still write.
    const removed = await eventually(
      () => first.admin.get(path),
      ({ body }) => body.finished >= 5,
    );
    expect(removed.body).toMatchObject({ kind: "delete-tenant", tenant: "acme", state: "running" });
    expect(removed.body.percent).toBeLessThan(100);
    expect((await first.admin.get("jobs?state=running")).body.items).toMatchObject([
      { id: removed.body.id },
    ]);
    await first.stop();

    const second = await routerHere({ stateDirectory, vars: first.vars });
    const done = await eventually(
      () => second.admin.get(path),
      ({ body }) => body.state === "done",
    );
    expect(done.body).toMatchObject({ percent: 100 });
    expect((await second.admin.get("jobs?state=running")).body.items).toEqual([]);
    expect((await second.admin.get("jobs?state=done")).body.items).toMatchObject([
      { id: done.body.id },
    ]);
    expect(await statusesOf(second, gone)).toEqual(gone.map(() => 404));
    expect(await statusesOf(second, stays)).toEqual(stays.map(() => 200));
    await second.admin.put("tenants/acme", {});
    expect(await statusesOf(second, gone)).toEqual(gone.map(() => 404));
    expect((await second.admin.get("tenants/acme/deliveries")).body.items).toEqual([]);
    expect((await second.admin.get("tenants/acme/events")).body.items).toEqual([]);
  });

  it("that there is not begins no job, and its unknown job is not found", async () => {
    const router = await routerHere();
    const answer = await deletion(router, "nobody");
    expect([answer.status, answer.headers.get("location")]).toEqual([404, null]);
    expect((await router.admin.get("jobs")).body.items).toEqual([]);
    expect((await router.admin.get("tenants/nobody/jobs/job_1")).status).toBe(404);
    expect((await router.admin.get("jobs?state=stuck")).status).toBe(400);
  });
});
