/** A reader goes back to a time, or forward to now. */
import * as z from "zod";
import { seek } from "../../src/flows/seek.ts";
import { iso } from "./change.ts";
import { invalid, operation } from "./operation.ts";
import { decodeCursor, encodeCursor } from "./page.ts";
import { PATH, readerOf, requireOpen } from "./pull-reader.ts";
import { Count, Reason, Time } from "./schemas.ts";

const SeekBody = z.strictObject({
  to: z.union([z.literal("now"), z.iso.datetime({ offset: true, error: "not an RFC 3339 time" })]),
  reason: Reason,
  cursor: z
    .string()
    .max(512)
    .optional()
    .describe("Of an answer that was not complete: goes on there."),
});

export const seekOperation = operation({
  method: "post",
  path: `${PATH}/seek`,
  summary:
    "Goes to a time: what waits and was received before is skipped, what was received since and is done is owed anew.",
  body: SeekBody,
  responses: {
    200: "How many; with a cursor when there is more to look at.",
    404: "No such target.",
    409: "The target is of another kind, or closed.",
    422: "The time has not come yet.",
  },
  answer: z.object({
    to: Time,
    skipped: Count,
    owed: Count,
    cursor: z.string().nullable().describe("Goes on, in the same call; null when it is complete."),
  }),
  async handle(call) {
    const reader = await readerOf(call);
    requireOpen(
      reader,
      "what was parked while it was closed is not found by its time; resume it first",
    );
    const { to, reason, cursor } = call.body;
    const nowMs = call.app.deliver.clock.nowMs();
    const at = decodeCursor(cursor, ["number", "number", "number", "string", "string"]);
    const toMs = at === null ? (to === "now" ? nowMs : Date.parse(to)) : Number(at[0]);
    if (toMs > nowMs) {
      throw invalid([
        { pointer: "/to", code: "in-the-future", detail: `${iso(toMs)} has not come yet.` },
      ]);
    }
    const untilMs = at === null ? nowMs : Number(at[1]);
    const after =
      at === null
        ? null
        : { receivedAtMs: Number(at[2]), event: String(at[3]), subscription: String(at[4]) };
    const pulls = await call.app.deliver.pulls();
    const sought = await seek(reader.id, { toMs, untilMs, reason, after }, pulls);
    const { next, skipped, owed } = sought;
    const goesOn =
      next === null ? null : [toMs, untilMs, next.receivedAtMs, next.event, next.subscription];
    return { status: 200, body: { to: iso(toMs), skipped, owed, cursor: encodeCursor(goesOn) } };
  },
});
