/** Targets: where deliveries go. */
import * as z from "zod";
import type { SealedSecrets } from "../../src/core/deliver/signing-keys.ts";
import { PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import type { Json } from "../../src/core/json.ts";
import { type HttpTargetBody, storeTarget, type TargetBody } from "../../src/core/stored-target.ts";
import { configureGate, moveGate } from "../../src/flows/configure-gate.ts";
import type { StoredResource } from "../../src/ports/config.ts";
import { type Call, type Operation, Refusal } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { stored, Time } from "./schemas.ts";
import { ShownAuth, withKeptAuth } from "./target-auth.ts";
import { targetFaults } from "./target-faults.ts";
import { PermissionAnswer, shakeHands } from "./target-handshake.ts";
import {
  EventTargetBody,
  httpTargetBody,
  PullTargetBody,
  QueueTargetBody,
  SagaTargetBody,
  ServiceTargetBody,
  targetBody,
} from "./target-schemas.ts";
import { completed, ShownSecrets, shownSecrets } from "./target-secrets.ts";
import { release, targetStateOperations } from "./target-state.ts";

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
    503: "Its name could not be looked up, or others change it at the same time.",
  },

  complete: withKeptAuth,

  faults: targetFaults,

  /** Secrets that a PUT leaves out stay as they are: they cannot be read back. */
  async store(call) {
    const { body, before } = call;
    const { doc, secrets } = storeTarget(body);
    if (body.kind !== "http") return { doc: doc as unknown as Json, secrets };
    // What is left out would be lost: it is there, and cannot be opened.
    if (before?.lockedBy != null && !isWhole(body, before)) {
      const detail = `Its secrets cannot be opened (key: ${before.lockedBy}): send secrets, headers and auth.`;
      throw new Refusal({ slug: "conflict", detail });
    }
    const asked = body.handshake === undefined ? {} : await shakeHands(call, doc);
    return {
      doc: { ...doc, ...asked } as unknown as Json,
      secrets: {
        ...signing(call),
        headers: (body.headers === undefined ? before?.secrets?.headers : secrets?.headers) ?? {},
        ...(secrets?.auth === undefined ? {} : { auth: secrets.auth }),
      },
    };
  },

  /** Replacing a closed target by an open one frees its deliveries as resuming it does. */
  async afterPut(call) {
    const { app, before, body, params, defer } = call;
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

/** The secrets that a PUT brings, or those that stay. */
function signing({ app, before, body }: Call<TargetBody, undefined>): SealedSecrets {
  const sent = body.kind === "http" ? body.secrets : undefined;
  if (sent !== undefined) return completed(sent, app.deliver.crypto);
  const { values = [], notAfter } = before?.secrets ?? {};
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

export const targetOperations: readonly Operation[] = [...crud, ...targetStateOperations];
