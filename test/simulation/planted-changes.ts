/** Bugs to plant into what a batch at work hears of operators' changes, and into what stands behind one that dies. */
import { bug, type PlantedBug } from "./planted-bug.ts";

const ATTEMPTS = "src/flows/attempt-all.ts";
const BATCH_RUN = "src/flows/batch-run.ts";
const CHANGES = "src/core/changes.ts";
const FOLLOW = "src/flows/follow-changes.ts";

export const PLANTED_IN_CHANGES: readonly PlantedBug[] = [
  bug(
    "what has changed holds for the next batch only",
    FOLLOW,
    'if (!newest.has(duty.tenant)) return { kind: "attempt", outgoing };',
    'if (newest.size >= 0) return { kind: "attempt", outgoing };',
  ),
  bug(
    "a batch at work asks once what has changed",
    FOLLOW,
    "timer = clock.timer(CHANGES_LOOK_MS);\n      await timer.elapsed;",
    "return;",
  ),
  bug(
    "what another heard before a claim is news to it",
    FOLLOW,
    "isOfMine && past(last.askedAtMs) > heardAtMs",
    "isOfMine",
  ),
  bug(
    "what has changed is read as it was before",
    FOLLOW,
    "await inTime(directory.at(id, revision), { clock })",
    "await inTime(directory.at(id, revisions.get(id) ?? revision), { clock })",
  ),
  bug(
    "the second change of a tenant is none",
    FOLLOW,
    "else known.set(id, revision);",
    "else known.delete(id);",
  ),
  bug(
    "a pause of a queue reaches no batch at work",
    FOLLOW,
    "queueValves.learn(changes.controls);",
    "",
  ),
  bug(
    "a tenant that was deleted has not changed",
    CHANGES,
    "if (now === undefined || now.createdAtMs > revision) changed.set(id, null);",
    "if (now === undefined) continue;",
  ),
  bug(
    "what is stopped is not written down",
    ATTEMPTS,
    "end(gated, inPlace(decided.result, duty));\n      return null;",
    "open -= 1;\n      return null;",
  ),
  bug(
    "no alarm stands behind a gate that takes a batch",
    BATCH_RUN,
    "gate.put({ ...NOTHING, lookAtMs: clock.nowMs() + BATCH_GUARD_MS });",
    "gate.put({ ...NOTHING, lookAtMs: clock.nowMs() + 1_000 * BATCH_GUARD_MS });",
  ),
];
