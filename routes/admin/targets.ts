/** Targets: where deliveries go. */

import * as z from "zod";
import type { App } from "../../src/compose.ts";
import type { SealedSecrets } from "../../src/core/deliver/signing-keys.ts";
import {
  type AddressPolicy,
  PUBLIC_ONLY,
  refusedAddress,
} from "../../src/core/deliver/target-url.ts";
import { isJsonObject, type Json, parseJsonDocument } from "../../src/core/json.ts";
import type { Fault } from "../../src/core/problem.ts";
import type { HttpTargetBody, TargetBody } from "../../src/core/stored-target.ts";
import { storeTarget } from "../../src/core/stored-target.ts";
import { configureGate, moveGate } from "../../src/flows/configure-gate.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { StoredResource } from "../../src/ports/config.ts";
import { announce, written } from "./change.ts";
import { type Call, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { sentMember } from "./rules.ts";
import { Count, Slug, stored, Time } from "./schemas.ts";
import { authFaults, ShownAuth, withKeptAuth } from "./target-auth.ts";
import { askAgain, PermissionAnswer, shakeHands } from "./target-handshake.ts";
import {
  EventTargetBody,
  httpTargetBody,
  orderFaultsOf,
  PullTargetBody,
  QueueTargetBody,
  SagaTargetBody,
  ServiceTargetBody,
  targetBody,
} from "./target-schemas.ts";
import { completed, ShownSecrets, secretFaults, shownSecrets } from "./target-secrets.ts";

const PATH = "/admin/tenants/{tenant}/targets/{target}";

const disabled = z.object({ reason: z.string(), at: Time }).optional();
const Target = z
  .discriminatedUnion("kind", [
    stored({
      ...httpTargetBody(PUBLIC_ONLY).shape,
      secrets: ShownSecrets,
      auth: ShownAuth.optional(),
      sealedHeaders: z
        .array(z.string())
        .optional()
        .describe("Headers whose values are never shown."),
      disabled,
      permission: PermissionAnswer.optional(),
    }),
    stored({ ...SagaTargetBody.shape, disabled }),
    stored({ ...EventTargetBody.shape, disabled }),
    stored({ ...PullTargetBody.shape, disabled }),
    stored({ ...QueueTargetBody.shape, disabled }),
    stored({ ...ServiceTargetBody.shape, disabled }),
  ])
  .meta({ id: "Target" });

const crud = resourceOperations<TargetBody>({
  kind: "target",
  answer: Target,
  body: ({ addresses }) => targetBody(addresses),
  refusals: {
    409: "The key of its secrets is missing: they have to be sent as well.",
    503: "Its name could not be looked up.",
  },

  complete: withKeptAuth,

  async faults(sent, { app, addresses, stores, params }) {
    if (isJsonObject(sent) && sent.kind === "http") {
      const { url, secrets, auth = null } = sent;
      const { clock, crypto } = app.deliver;
      const { config } = stores;
      const stored = await config.resource(params.tenant ?? "", "target", params.target ?? "");
      return [
        ...(await addressFaults("/url", url, addresses, app)),
        ...(await addressFaults("/auth/tokenUrl", sentMember(auth, "tokenUrl"), addresses, app)),
        ...authFaults(sent, stored?.secrets?.headers ?? {}),
        ...secretFaults(secrets, stored?.secrets ?? null, clock.nowMs(), crypto),
        ...orderFaultsOf(sentMember(sent, "order"), sentMember(sent, "batch")),
      ];
    }
    const unbound = bindingFault(sent, app);
    if (unbound !== null) return [unbound];
    const saga = sentMember(sent, "saga");
    if (sentMember(sent, "kind") !== "saga" || typeof saga !== "string") return [];
    if ((await stores.config.resource(params.tenant ?? "", "saga", saga)) !== null) return [];
    return [
      {
        pointer: "/saga",
        code: "unknown-saga",
        detail: `There is no saga "${saga}"; create it first.`,
      },
    ];
  },

  /** Secrets that a PUT leaves out stay as they are: they cannot be read back. */
  async store(call) {
    const { body, stores, params } = call;
    const { doc, secrets } = storeTarget(body);
    if (body.kind !== "http") return { doc: doc as unknown as Json, secrets };
    const stored = await stores.config.resource(params.tenant ?? "", "target", params.target ?? "");
    // What is left out would be lost: it is there, and cannot be opened.
    if (stored?.lockedBy != null && !isWhole(body, stored)) {
      const detail = `Its secrets are sealed under key ${stored.lockedBy}, which is missing: send secrets, headers and auth.`;
      throw new Refusal({ slug: "conflict", detail });
    }
    const asked = body.handshake === undefined ? {} : await shakeHands(call, doc, stored);
    return {
      doc: { ...doc, ...asked } as unknown as Json,
      secrets: {
        ...signing(call, stored),
        headers: (body.headers === undefined ? stored?.secrets?.headers : secrets?.headers) ?? {},
        ...(secrets?.auth === undefined ? {} : { auth: secrets.auth }),
      },
    };
  },

  /** Replacing a closed target by an open one frees its deliveries as resuming it does. */
  async afterPut(call, before) {
    const { app, body, params, defer } = call;
    const id = { tenant: params.tenant ?? "", target: params.target ?? "" };
    const isMoved = before !== null && receiverOf(JSON.parse(before.doc)) !== receiverOf(body);
    defer(isMoved ? moveGate(id, app.deliver) : configureGate(id, app.deliver));
    if (call.body.paused !== true) await release(call);
  },

  async show(doc, { secrets }, { nowMs }) {
    if (doc.kind !== "http") return doc;
    const sealed = Object.keys(secrets?.headers ?? {});
    return {
      ...doc,
      secrets: shownSecrets(secrets ?? { values: [] }, nowMs),
      ...(sealed.length === 0 ? {} : { sealedHeaders: sealed }),
    };
  },
});

/** A binding is there when the router is deployed with it: which there are stands in no document. */
function bindingFault(sent: Json, { deliver: { bound } }: App): Fault | null {
  const kind = sentMember(sent, "kind");
  if (kind !== "queue" && kind !== "service") return null;
  const name = sentMember(sent, kind);
  const names = kind === "queue" ? bound.queues : bound.services;
  if (typeof name !== "string" || names.includes(name)) return null;
  const there = names.length === 0 ? "none is" : `there are ${names.join(", ")}`;
  const binding = `TARGET_${kind.toUpperCase()}_${name.toUpperCase().replaceAll("-", "_")}`;
  const detail = `No ${kind} "${name}" is bound (${there}): bind it as ${binding} and deploy.`;
  return { pointer: `/${kind}`, code: "unknown-binding", detail };
}

/** The secrets that a PUT brings, or those that stay. */
function signing(
  { app, body }: Call<TargetBody, undefined>,
  stored: StoredResource | null,
): SealedSecrets {
  const sent = body.kind === "http" ? body.secrets : undefined;
  if (sent !== undefined) return completed(sent, app.deliver.crypto);
  const { values = [], notAfter } = stored?.secrets ?? {};
  return { values, ...(notAfter === undefined ? {} : { notAfter }) };
}

/** Who is sent to: what was learnt of another one does not hold of it. */
const receiverOf = (doc: object): string => {
  const { kind, url, service, path, method } = doc as Readonly<Record<string, unknown>>;
  return JSON.stringify([kind, url, service, path, method]);
};

/** Whether `body` brings every secret that `stored` has. */
const isWhole = (body: HttpTargetBody, stored: StoredResource): boolean =>
  body.secrets !== undefined &&
  body.headers !== undefined &&
  (body.auth !== undefined || JSON.parse(stored.doc).auth === undefined);

/** What the name in an address stands for, where names are looked up; how it is written is the schema's to judge. */
async function addressFaults(
  pointer: string,
  url: Json | undefined,
  addresses: AddressPolicy,
  app: App,
): Promise<Fault[]> {
  if (typeof url !== "string" || !URL.canParse(url)) return [];
  if (refusedAddress(new URL(url), addresses) !== null) return [];
  const verdict = await app.guard.check(url);
  if (verdict.kind === "allowed") return [];
  const { detail } = verdict;
  if (verdict.kind === "unknown") {
    const text = `Nothing was saved: ${detail}.`;
    throw new Refusal({ slug: "unavailable", detail: text, retryAfterMs: 5_000 });
  }
  const code = verdict.kind === "refused" ? "target-refused" : "target-unresolved";
  return [{ pointer, code, detail }];
}

/** Lets the parked deliveries of an open target go out, by its gate if it has one; answers how many. */
async function release({ app: { deliver }, params, defer }: Call<unknown, undefined>) {
  const [tenant, target] = [params.tenant ?? "", params.target ?? ""];
  const released = await deliver.ledger.release(tenant, target);
  if (released > 0) defer(sweep("overdue", deliver));
  return released;
}

/** Sets or clears `paused`; opening a target also forgives what closed it. */
async function setPaused(call: Call<undefined, undefined>, paused: boolean) {
  const { app, stores, params } = call;
  const tenant = params.tenant ?? "";
  const id = params.target ?? "";
  const stored = await stores.config.resource(tenant, "target", id);
  if (stored === null) throw notFound("target");
  const read = parseJsonDocument(stored.doc);
  const { disabled, ...doc } = (read.ok ? read.value : {}) as Record<string, Json>;
  if (!paused && doc.handshake !== undefined && doc.permission === undefined) {
    const detail = "Its receiver has not permitted deliveries: POST …/handshake asks it again.";
    throw new Refusal({ slug: "conflict", detail });
  }
  const next = { ...doc, ...(paused && disabled !== undefined ? { disabled } : {}), paused };
  const value = { doc: JSON.stringify(next), secrets: undefined };
  const result = written(
    await stores.config.putResource(tenant, "target", id, value, stored.version),
    "target",
  );
  await announce(app, tenant, result.revision);
  return { id, version: result.revision };
}

const Paused = z.object({ id: Slug, paused: z.boolean() });

export const targetOperations: readonly Operation[] = [
  ...crud,
  operation({
    method: "post",
    path: `${PATH}/pause`,
    recorded: "with-change",
    summary: "Pauses a target: its deliveries are parked until it is resumed.",
    responses: { 200: "Paused.", 404: "No such target." },
    answer: Paused,
    async handle(call) {
      const { id, version } = await setPaused(call, true);
      return { status: 200, body: { id, paused: true }, version };
    },
  }),
  operation({
    method: "post",
    path: `${PATH}/resume`,
    recorded: "with-change",
    summary: "Opens a paused or disabled target: parked deliveries go out.",
    responses: {
      200: "Resumed; `released` says how many deliveries go out.",
      404: "No such target.",
      409: "Its receiver has not permitted deliveries.",
    },
    answer: Paused.extend({ released: Count }),
    async handle(call) {
      const { id, version } = await setPaused(call, false);
      const released = await release(call);
      // Its gate looks at what waits for a batch, or for room.
      const { tenant = "" } = call.params;
      call.defer(configureGate({ tenant, target: id }, call.app.deliver));
      return { status: 200, body: { id, paused: false, released }, version };
    },
  }),
  operation({
    method: "post",
    path: `${PATH}/handshake`,
    recorded: "with-change",
    summary: "Asks a target's receiver once more whether it wants to be sent to.",
    responses: {
      200: "Asked. Permitted: parked deliveries go out. Refused: the target is closed and says why.",
      404: "No such target.",
      409: "The target asks its receiver for nothing.",
    },
    answer: z.object({
      id: Slug,
      permission: PermissionAnswer.nullable(),
      reason: z.string().nullable().describe("Why there is no permission, or none that is new."),
      released: Count,
    }),
    async handle(call) {
      const asked = await askAgain(call);
      const id = { tenant: call.params.tenant ?? "", target: call.params.target ?? "" };
      call.defer(configureGate(id, call.app.deliver));
      const released = asked.isOpen ? await release(call) : 0;
      return { status: 200, body: { ...asked.body, released }, version: asked.version };
    },
  }),
];
