/** Limits of gates: concurrency, rates, the budget of retries and breakers of targets. */
import { LEASE_SECONDS } from "./limits.ts";

/** Of one target when nothing says otherwise: the connections of one invocation. */
export const GATE_CONCURRENCY_DEFAULT = 6;
/** Of one whose concurrency is adaptive: the most that is tried. */
export const ADAPTIVE_MAX_DEFAULT = 50;
/** Leases of one gate at once: with one slot each, and 250 bytes of state. */
export const GATE_LEASES_MAX = 256;
/** A slot is free again by then whatever became of its holder: as long as a claim's lease. */
export const GATE_LEASE_MS_MAX = LEASE_SECONDS * 1_000;
/** Work one lease is given at once, to the nearest round: a Retry-After, a new limit or urgent work waits for it. */
export const GATE_HORIZON_MS = 2_000;
/** … and where concurrency is adaptive, of what was let go: so often its gate learns from it. */
export const GATE_LEARN_MS = 1_000;
/** A portion that is let go is what so many leases hold: its holder asks for more before its slots rest. */
export const GATE_PORTION_LEASES_MAX = 2;
/** A batch asks for no more of what was let go after so long: another has its consumer. */
export const GATE_MORE_MS_MAX = 10_000;
/** Slots are kept free for what is critical so long after it had use for as many, and twice as long at most. */
export const GATE_URGENT_MS = 30_000;
/** An attempt lasts this long until a target's own are known. */
export const GATE_ATTEMPT_MS_DEFAULT = 500;
/** Parked deliveries released at once: one page of the ledger. */
export const GATE_RELEASE_MAX = 200;
/** What was released has asked by then, or something else goes in its place. */
export const GATE_RELEASE_MS = 10_000;
/** A call to a gate that has not answered by then counts as unreachable; its deliveries are parked for so long. */
export const GATE_TIMEOUT_MS = 1_000;
export const GATE_UNREACHABLE_MS = 5_000;
/** What is parked is let go so long before a lease should end: as it takes through the queue and its claim. */
export const GATE_AHEAD_MS = 300;
/** What was let go and finds every slot taken waits at the gate for so long, and with it its batch. */
export const GATE_WAIT_MS = 500;
/** What is behind a delivery that is held up looks again after so long: nobody says when that begins. */
export const GATE_HELD_UP_LOOK_MS = 20;
/** What found no slot is due again then; and nothing else goes before, where too much was sent by a fixed limit. */
export const GATE_AGAIN_MS = 200;
/** The gate looks after what is parked this often while it can move, and no more often than … */
export const GATE_TICK_MS = 1_000;
/** … this; an alarm is never set to now. Each lets one portion go: a hundred invocations a second are enough. */
export const GATE_PAUSE_MS_MIN = 10;
/** A backlog that nobody has confirmed for so long keeps nobody back: the gate's knowledge of it is a hint. */
export const GATE_BACKLOG_MS = 120_000;
/** A reason that has refused nothing for so long limits nothing any more. */
export const GATE_LIMITED_MS = 10_000;
/** A gate that nobody has asked for so long forgets: its day's quota is over by then, and so is a Retry-After. */
export const GATE_FORGET_MS = 86_400_000;
/** A target without trouble for so long, and with nothing parked, needs no gate. */
export const GATE_QUIET_MS = 600_000;
/** A receiver's WebHook-Allowed-Rate holds for so long after it was last said: once is not for ever. */
export const ALLOWED_RATE_MS = 86_400_000;
/** Adaptive concurrency begins here: a new receiver is asked gently. */
export const ADAPTIVE_START_MIN = 4;
/** Tokens for retries: gained by fresh deliveries and with time, kept up to … */
export const RETRIES_PER_SECOND_MIN = 5;
/** … so many: ten seconds of a target that sends fifty fresh ones a second. */
export const RETRY_TOKENS_MAX = 100;
/** Past so many parked retries without a token what is fresh is found: no index tells the two apart. */
export const GATE_RETRIES_PASSED_MAX = 20_000;

/** A breaker judges the calls of this long (resilience4j counts 100 calls; quiet targets have fewer) … */
export const BREAKER_WINDOW_MS = 60_000;
/** … in parts of this length, and only when there are … */
export const BREAKER_BUCKET_MS = 10_000;
/** … so many of them. */
export const BREAKER_CALLS_MIN = 20;
/** So many failures with no success between them open it however few the calls. */
export const BREAKER_CONSECUTIVE_MAX = 20;
/** … once this has lasted so long: a receiver that starts anew is no sick one. */
export const BREAKER_ILL_MS_MIN = 10_000;
/** It stays open for this long, twice as long each time in a row, up to … */
export const BREAKER_OPEN_MS = 30_000;
/** … this. */
export const BREAKER_OPEN_MS_MAX = 900_000;
/** A target whose breaker has not closed for so long is disabled when it fails again (Svix: five days). */
export const TARGET_FAILING_MS_MAX = 5 * 86_400_000;
/** Successful probes in a row that close it. */
export const BREAKER_PROBES_MIN = 10;
