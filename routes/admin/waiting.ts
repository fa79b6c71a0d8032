/** Whom something waits for, of all tenants: where an operator begins who was woken and knows nothing yet. */
import * as z from "zod";
import type { ParkedTarget } from "../../src/core/gate/index.ts";
import { PARKED_TARGETS_SEEN_MAX } from "../../src/core/gate/limits.ts";
import { QUEUES } from "../../src/core/priority.ts";
import { iso } from "./change.ts";
import { type Operation, operation } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { Slug, Time } from "./schemas.ts";

const WaitingTarget = z.object({
  tenant: Slug,
  target: Slug,
  waitsFor: z
    .enum(["gate", "opening"])
    .describe("Its gate, its next batch or its reader; or that it is resumed, or permitted."),
  priority: z.enum(QUEUES).describe("Of the most urgent that waits."),
  oldestReceivedAt: Time.describe("Of those of this priority."),
});

interface Found {
  readonly place: string;
  readonly view: z.infer<typeof WaitingTarget>;
}

/** `place` sorts as text: by rank, then by time. */
const asFound =
  (waitsFor: "gate" | "opening") =>
  ({ tenant, target, rank, oldestAtMs }: ParkedTarget): Found => ({
    place: [rank, String(oldestAtMs).padStart(15, "0"), tenant, target, waitsFor].join(" "),
    view: {
      ...{ tenant, target, waitsFor, priority: QUEUES[rank] ?? "replay" },
      oldestReceivedAt: iso(oldestAtMs),
    },
  });

export const waitingOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/waiting",
    summary: `Lists targets that something is parked for, the most urgent and oldest first, of ${PARKED_TARGETS_SEEN_MAX} of each kind at most.`,
    query: PageQuery,
    responses: { 200: "A page of targets." },
    answer: pageOf(WaitingTarget),
    async handle({ app, query }) {
      const { ledger } = app.deliver;
      const [gated, closed] = await Promise.all([
        ledger.parkedTargets(PARKED_TARGETS_SEEN_MAX),
        ledger.closedTargets(PARKED_TARGETS_SEEN_MAX),
      ]);
      const after = String(decodeCursor(query.cursor, ["string"])?.[0] ?? "");
      const found = [...gated.map(asFound("gate")), ...closed.map(asFound("opening"))]
        .filter(({ place }) => place > after)
        .sort((a, b) => (a.place < b.place ? -1 : 1));
      const shown = found.slice(0, query.limit);
      const last = found.length > query.limit ? shown.at(-1) : undefined;
      const cursor = encodeCursor(last === undefined ? null : [last.place]);
      return {
        status: 200,
        body: pageBody(
          shown.map(({ view }) => view),
          cursor,
        ),
      };
    },
  }),
];
