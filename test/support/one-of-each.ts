/** A tenant with one of everything that a path may name, by the name of its parameter. */
import type { Router } from "./router.ts";
import { prepareTenant } from "./tenant.ts";
import { eventually } from "./wait.ts";

export type Named = Readonly<Record<string, string>>;

/** `failingUrl` is a receiver that refuses: the delivery is a dead letter, redriven once by the job. */
export async function oneOfEach(router: Router, id: string, failingUrl: string): Promise<Named> {
  const retry = { delaysSeconds: [] };
  const tenant = await prepareTenant(router, id, { [`${id}-sink`]: { url: failingUrl, retry } });
  await router.admin.put(`${tenant.path}/sources/${id}-hooks`, {
    verify: { scheme: "github", secrets: [`${id}-secret`] },
  });
  const event = await tenant.send(`${id}-sink`);
  const { id: delivery } = await tenant.delivery(event.id, `${id}-sink`, "dead");
  const { id: later } = await tenant.send();
  for (const each of [event.id, later]) {
    await eventually(
      () => router.admin.get(`${tenant.path}/events/${each}`),
      ({ body }) => body.archived === true,
    );
  }
  // At this pace the second event is not looked at before it is paused.
  const slice = { from: "2020-01-01T00:00:00Z", to: new Date().toISOString(), perSecond: 0.1 };
  const { body: replay } = await router.admin.post(`${tenant.path}/replays`, {
    ...{ ...slice, reason: "one of each" },
  });
  await router.admin.post(`${tenant.path}/replays/${replay.id}/pause`);
  const { body: job } = await router.admin.post(`${tenant.path}/dead-letters/redrive`);
  await eventually(
    () => router.admin.get(`${tenant.path}/jobs/${job.id}`),
    ({ body }) => body.percent === 100,
  );
  await router.enqueuePoison(Uint8Array.of(255));
  const { body: poison } = await eventually(
    () => router.admin.get("poison-messages"),
    ({ body }) => body.items.length > 0,
  );
  await router.admin.put(`${tenant.path}/rules/${id}-list`, {
    ...{ pattern: { data: { kind: ["list"] } }, priority: "bulk", targets: [`${id}-sink`] },
    // At this pace the third element is not looked at before it is paused.
    forEach: { path: "$.data.list", perSecond: 0.1 },
  });
  await router.send(`${id}/open`, { body: '{"kind":"list","list":[1,2,3]}' });
  const { body: fanOuts } = await eventually(
    () => router.admin.get(`${tenant.path}/fan-outs`),
    ({ body }) => body.items.length > 0,
  );
  await router.admin.post(`${tenant.path}/fan-outs/${fanOuts.items[0].id}/pause`);
  const steps = [{ name: "wait", approve: { timeoutSeconds: 3_600 } }];
  await router.admin.put(`${tenant.path}/sagas/${id}-saga`, { steps });
  const { body: saga } = await router.admin.get(`${tenant.path}/sagas/${id}-saga`);
  const { body: instance } = await router.admin.post(`${tenant.path}/sagas/${id}-saga/instances`, {
    input: {},
  });
  // A command to sagas that there are none of: it has ended, whatever is done with the others.
  const { body: bulk } = await router.admin.post(`${tenant.path}/saga-instances/bulk`, {
    ...{ command: "pause", reason: "one of each", query: { saga: "none" } },
  });
  return {
    bulk: bulk.id,
    tenant: id,
    source: `${id}-hooks`,
    target: `${id}-sink`,
    rule: `${id}-sink`,
    event: event.id,
    delivery,
    job: job.id,
    replay: replay.id,
    fanOut: fanOuts.items[0].id,
    message: poison.items[0].id,
    saga: `${id}-saga`,
    instance: instance.id,
    command: "pause",
    priority: "replay",
    // Of the saga; the rule stood then as it does now.
    version: String(saga.version),
  };
}
