/** Comparing the archive with the ledger, when something was accepted and nothing is known of it. */
import * as z from "zod";
import { isSlug } from "../../src/core/ids.ts";
import { reconcile } from "../../src/flows/reconcile.ts";
import {
  MISMATCHES,
  RECONCILE_PHASES,
  type ReconcileCursor,
  type Reconciled,
} from "../../src/flows/reconcile-pass.ts";
import { iso, requireTenant } from "./change.ts";
import { type Operation, operation, Refusal } from "./operation.ts";
import { decodeCursor, encodeCursor } from "./page.ts";
import { ReconcileBody } from "./past-schemas.ts";
import { Count, Time } from "./schemas.ts";

const Kind = z.enum(MISMATCHES);
const Counts = z.record(Kind, Count);

const ReconcileAnswer = z
  .object({
    segments: Count.describe("Objects of the archive that were read."),
    events: Count.describe("Events of the slice in them."),
    known: Count.describe("How many of those the ledger knows."),
    underWay: Count.describe("Left alone: a consumer is at work, or a queue may still have it."),
    expired: Count.describe(
      "Not in the ledger, whole or in part, because it no longer keeps what is so old.",
    ),
    found: Counts,
    mended: Counts,
    mismatches: z.array(
      z.object({
        kind: Kind,
        tenant: z.string(),
        event: z.string(),
        receivedAt: Time,
        segment: z.string(),
        mended: z.boolean(),
      }),
    ),
    complete: z.boolean(),
    cursor: z.string().nullable().describe("Goes on where this call stopped; null when complete."),
  })
  .meta({ id: "Reconciled" });

const answerOf = (result: Reconciled): z.infer<typeof ReconcileAnswer> => {
  const { cursor: at, mismatches, ...counts } = result;
  return {
    ...counts,
    mismatches: mismatches.map(({ receivedAtMs, ...mismatch }) => {
      return { ...mismatch, receivedAt: iso(receivedAtMs) };
    }),
    complete: at === null,
    cursor: encodeCursor(at === null ? null : [at.tenant, at.phase, at.after ?? ""]),
  };
};

/** Where a cursor goes on; only for the tenant that it was given out for. */
function cursorOf(cursor: string | undefined, tenant: string | null): ReconcileCursor | null {
  const [at, phaseName, after] = decodeCursor(cursor, ["string", "string", "string"]) ?? [];
  if (at === undefined) return null;
  const phase = RECONCILE_PHASES.find((each) => each === phaseName);
  const id = String(at);
  if (phase !== undefined && isSlug(id) && (tenant === null || tenant === id)) {
    return { tenant: id, phase, after: after === "" ? null : String(after) };
  }
  const detail = "This cursor was not given out for this tenant.";
  throw new Refusal({ slug: "malformed-request", detail });
}

export const reconcileOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: "/admin/reconcile",
    changes: ({ mend = true }) => mend,
    summary:
      "Compares the archive with the ledger for a slice of time, sends again what the ledger does not know, and names what cannot be mended.",
    body: ReconcileBody,
    responses: { 200: "What was found and mended.", 404: "No such tenant." },
    answer: ReconcileAnswer,
    async handle({ app, stores, body }) {
      const { tenant = null, from, to, mend = true } = body;
      const cursor = cursorOf(body.cursor, tenant);
      if (tenant !== null) await requireTenant(stores.config, tenant);
      const range = { fromMs: Date.parse(from), untilMs: Date.parse(to) };
      const { archive: listing, audit, config } = stores;
      const ports = { ...app.accept, listing, audit, config };
      const result = await reconcile({ tenant, range, mend, cursor }, ports);
      return { status: 200, body: answerOf(result) };
    },
  }),
];
