/** Bugs to plant into what operators command: paused and narrowed queues, and fan-outs that are stopped. */
import { bug, type PlantedBug } from "./planted-bug.ts";

const GIVE_BACK = "src/flows/give-back.ts";
const BATCH = "src/flows/deliver-batch.ts";
const PORTION = "src/flows/deliver-portion.ts";
const ATTEMPTS = "src/flows/attempt-all.ts";
const LEDGER = "test/support/memory-ledger.ts";
const PAGE = "src/flows/fan-out-page.ts";

export const PLANTED_BY_OPERATORS: readonly PlantedBug[] = [
  {
    name: "what is claimed in a paused queue is delivered",
    edits: [
      {
        file: PORTION,
        find: "if (control?.isPaused === true) return putBack(opened, claimed, ports);",
        replace: "",
      },
      // Each attempt looks once more.
      {
        file: ATTEMPTS,
        find: '(role !== "dead" && !ports.queueValves.mayGoOn(role))',
        replace: "false",
      },
    ],
  },
  bug(
    "what is claimed in a paused queue is acknowledged",
    GIVE_BACK,
    "for (const open of opened.messages) retryLater(open, seconds);",
    "void seconds;",
  ),
  bug(
    "a batch that was held for too long is acknowledged",
    BATCH,
    "return { message, origin: null, retryAfterSeconds: GIVEN_BACK_RETRY_SECONDS };",
    "return { message, origin: null, retryAfterSeconds: null };",
  ),
  bug(
    "a paused queue is never asked about again",
    "src/flows/queue-valves.ts",
    "await clock.timer(QUEUE_ASK_MS).elapsed;\n        await ask(ports);",
    "await clock.timer(QUEUE_ASK_MS).elapsed;",
  ),
  bug(
    "the sweeper makes copies for a paused queue",
    LEDGER,
    "if (isPaused(row.priority)) return [];",
    "",
  ),
  bug(
    "a narrowed queue is worked on as before",
    ATTEMPTS,
    'role === "dead" ? CONNECTIONS_MAX : connectionsOf(queueValves.of(role));',
    "[role, queueValves, connectionsOf] && CONNECTIONS_MAX;",
  ),
  bug(
    "a paused fan-out goes on",
    PAGE,
    'if (fanOut?.state !== "running") return null;',
    'if (fanOut?.state !== "running" && fanOut?.state !== "paused") return null;',
  ),
  bug(
    "a cancelled fan-out goes on",
    PAGE,
    'if (fanOut?.state === "cancelled") return giveUpMore(fanOut, ports);\n  if (fanOut?.state !== "running") return null;',
    'if (fanOut === null || (fanOut.state !== "running" && fanOut.state !== "cancelled")) return null;',
  ),
  bug(
    "elements of a cancelled fan-out go out",
    "src/flows/decide-delivery.ts",
    'cancelledFanOuts.has(duty.held.record.elementOf?.fanOut ?? "")',
    'cancelledFanOuts.has(duty.held.record.elementOf?.event ?? "")',
  ),
  bug(
    "a cap on a fan-out does nothing",
    PAGE,
    "perSecond === null ? FANOUT_PAGE : Math.max(1, Math.floor(perSecond));",
    "perSecond === null ? FANOUT_PAGE : Math.max(2, Math.floor(perSecond));",
  ),
];
