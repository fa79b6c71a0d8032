/** Bugs to plant into gates, each of which some seed must catch. */
import { bug, type PlantedBug } from "./planted-bug.ts";

const ADAPTIVE = "src/core/gate/adaptive.ts";
const BACKLOG = "src/core/gate/backlog.ts";
const EXPECTED = "src/core/gate/expected.ts";
const BREAKER = "src/core/gate/breaker.ts";
const CAPS = "src/core/gate/caps.ts";
const PACE = "src/core/gate/pace.ts";
const REPORT = "src/core/gate/report.ts";
const UPKEEP = "src/core/gate/upkeep.ts";

export const PLANTED_IN_GATES: readonly PlantedBug[] = [
  bug(
    "the slots of a dead consumer stay taken",
    UPKEEP,
    "leases.filter(({ expiresAtMs }) => expiresAtMs > nowMs)",
    "leases.filter(({ id }) => id !== undefined)",
  ),
  bug(
    "a lease does not see what others hold",
    CAPS,
    "limit - held - keptFree(",
    "limit - keptFree(",
  ),
  bug(
    "no slot is kept free for what is critical",
    CAPS,
    "limit - held - keptFree(state, limit, priority, nowMs)",
    "limit - held",
  ),
  bug(
    "what critical ones had use for is forgotten with its window",
    "src/core/gate/urgent.ts",
    "before: known.slots",
    "before: 0",
  ),
  bug(
    "more for a lease comes with slots that others hold",
    CAPS,
    "if (free >= slots) return Math.min(free, CONNECTIONS_MAX);",
    "return CONNECTIONS_MAX;",
  ),
  bug(
    "what went well among fewer leads up",
    ADAPTIVE,
    "if (limit >= ceiling && flight.allowed < Math.floor(limit)) return limit;",
    "",
  ),
  bug(
    "all that wait are given the slots of one lease",
    "src/core/gate/waiting.ts",
    "attend(state, config, ask, nowMs);\n    if",
    "attend(before, config, ask, nowMs);\n    if",
  ),
  bug(
    "turns come back that others have before theirs",
    REPORT,
    "Math.max(nowMs, othersMs)",
    "nowMs",
  ),
  bug(
    "a pause in asking lets two start at once",
    PACE,
    "stepMs === 0 ? nowMs : state.lastTurnMs + stepMs",
    "stepMs === 0 ? nowMs : state.lastTurnMs",
  ),
  bug(
    "a turn that passed is made up for",
    PACE,
    "stepMs === 0 ? 0 : Math.floor((earliestMs - firstAtMs) / stepMs)",
    "0",
  ),
  bug(
    "who starts late keeps no interval to the next start",
    PACE,
    "Math.max(nowMs, lastStartMs + stepMs)",
    "nowMs",
  ),
  bug(
    "a shorter Retry-After takes back a longer one",
    REPORT,
    "Math.max(state.block.untilMs, Math.ceil(nowMs + askedMs))",
    "Math.ceil(nowMs + askedMs)",
  ),
  bug(
    "poison counts as sickness",
    REPORT,
    "const sick = failed + timedOut +",
    "const sick = failed + rejected + timedOut +",
  ),
  bug(
    "a quiet target's breaker never opens",
    BREAKER,
    " || consecutive >= BREAKER_CONSECUTIVE_MAX",
    "",
  ),
  bug(
    "a probe that is lost is followed by another at once",
    UPKEEP,
    'if (breaker.phase !== "half-open" ||',
    'if (breaker.phase !== "closed" ||',
  ),
  bug("probes go without end", BREAKER, 'if (phase === "open" || successes < 1) return 1;', ""),
  bug(
    "a failed probe changes nothing",
    BREAKER,
    "if (calls.sick > 0) return open(",
    "if (calls.sick > 9) return open(",
  ),
  bug(
    "time brings no tokens for retries",
    UPKEEP,
    "retryTokens.count + (passedMs * RETRIES_PER_SECOND_MIN) / 1_000",
    "retryTokens.count",
  ),
  bug(
    "what is parked is overtaken",
    CAPS,
    "PRIORITIES.indexOf(priority) + 1)",
    "PRIORITIES.indexOf(priority))",
  ),
  bug(
    "what is fresh passes whatever is parked",
    CAPS,
    "isPassed ? ask.want.fresh : 0",
    "ask.want.fresh",
  ),
  bug(
    "what was released and lost is waited for",
    EXPECTED,
    "out.filter(({ untilMs }) => nowMs < untilMs && untilMs <= nowMs + GATE_RELEASE_MS)",
    "out",
  ),
  bug("probes are released together", BACKLOG, "out > 0 ? 0 : Math.min(1, room)", "room"),
  bug(
    "a backlog is forgotten when the gate has counted to its end",
    BACKLOG,
    "backlog: said.isEmpty ?",
    "backlog: said.isEmpty || left === 0 ?",
  ),
  bug(
    "each drop of what was in flight together is answered",
    ADAPTIVE,
    "if (flight.generation === generation) {",
    "if (flight.generation <= generation) {",
  ),
  bug(
    "growth after a drop stays slow for ever",
    ADAPTIVE,
    "limit > Math.max(ceiling * OUTGROWN, ceiling + 2)",
    "limit < 0",
  ),
];
