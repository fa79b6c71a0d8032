/** What must hold while a gate's simulation runs, counted by what is sent and not by what the gate believes. */
import type { Ask, GateAnswer, GateConfig, Grant } from "../../src/core/gate/index.ts";
import { DAY_MS } from "../../src/core/gate/state.ts";
import * as at from "../../src/core/gate-limits.ts";
import { CONNECTIONS_MAX } from "../../src/core/limits.ts";
import { PRIORITIES, type Priority } from "../../src/core/priority.ts";
import type { Agenda } from "./agenda.ts";
import type { HeldGate, Reply } from "./gate-world.ts";

export interface Attempted {
  readonly priority: Priority;
  readonly isRetry: boolean;
  readonly reply: Reply;
}

type Parked = { readonly isTold: boolean; readonly attempts: number };
type Ledger = Readonly<Record<Priority, readonly Parked[]>>;

/** What is remembered of a grant: when it was, and what had been known by then. */
interface Given {
  readonly atMs: number;
  readonly isFirstProbe: boolean;
  readonly notBeforeMs: number;
}

export interface GateWatch {
  asked(ask: Ask, answer: GateAnswer, ledger: Ledger): void;
  began(attempted: Attempted, grant: Grant): void;
  ended(attempted: Attempted): void;
  /** The gate is told what the receiver asked for. */
  wished(reply: Reply): void;
  reported(grant: Grant, sent: readonly Attempted[]): void;
  told(priority: Priority): void;
  releasing(count: number): void;
  requests(): number;
  violation(): string | null;
}

export function createGateWatch(
  config: GateConfig,
  gate: HeldGate,
  agenda: Agenda,
  isSick: boolean,
): GateWatch {
  const startMs = agenda.nowMs();
  const days = new Map<number, number>();
  const toldAtMs = new Map<Priority, number>();
  const grants = new WeakMap<Grant, Given>();
  let [underWay, urgentUnderWay, fresh, retries, leastLevel] = [0, 0, 0, 0, 0];
  /** Slots that critical ones had use for when they came: those under way, and one each for the new ones. */
  let uses: { readonly slots: number; readonly atMs: number }[] = [];
  /** By what others were granted last. */
  let leftToUrgent = 0;
  let [failures, probeGrantedMs, probedMs, sickMs, notBeforeMs] = [0, 0, 0, 0, 0];
  let illSinceMs = 0;
  /** It has failed often and long enough by what was reported. */
  let isOpenDue = false;
  /** Probes that succeeded since the breaker was last seen open. */
  let successes = 0;
  let found: string | null = null;
  const violated = (sentence: string): void => {
    found ??= `${sentence}, ${((agenda.nowMs() - startMs) / 1_000).toFixed(1)} s after the start`;
  };

  /** Behind retries that are parked goes a retry; what has not been attempted may pass them. */
  function isBehind({ priority }: Ask, retried: number, ledger: Ledger): boolean {
    const asUrgent = PRIORITIES.slice(0, PRIORITIES.indexOf(priority) + 1);
    return asUrgent.some((name) => {
      const isKnown = agenda.nowMs() < (toldAtMs.get(name) ?? 0) + at.GATE_BACKLOG_MS;
      const isBefore = ({ isTold, attempts }: Parked): boolean =>
        isTold && (attempts === 0 || retried > 0);
      return isKnown && ledger[name].some(isBefore);
    });
  }

  function urgentCame({ fresh, retries }: Ask["want"]): void {
    const slots = urgentUnderWay + Math.min(fresh + retries, CONNECTIONS_MAX);
    uses.push({ slots, atMs: agenda.nowMs() });
  }

  /** As many are to be left by what is granted to others now, and half of all at most. */
  function owedToUrgent(): number {
    if (config.isAdaptive) return 0; // by a limit that only the gate knows
    uses = uses.filter(({ atMs }) => agenda.nowMs() < atMs + at.GATE_URGENT_MS);
    const most = Math.max(0, ...uses.map(({ slots }) => slots));
    return Math.min(most, Math.floor(config.concurrency / 2));
  }

  function checkGrant({ isProbe }: Grant): void {
    if (agenda.nowMs() < sickMs + at.BREAKER_OPEN_MS) violated("it passes after a failed probe");
    if (!isProbe && isOpenDue) {
      violated(`more is sent after ${failures} failures in a row`);
    }
  }

  /** Starts above what the rate gives, against the least of it before: the fullest window that ends now. */
  function checkRate(perSecond: number, nowMs: number): void {
    const level = fresh + retries - 1 - ((nowMs - startMs) * perSecond) / 1_000;
    leastLevel = fresh + retries === 1 ? level : Math.min(leastLevel, level);
    if (level - leastLevel > 0.001) violated("more starts in a window than the rate allows");
  }

  return {
    asked(ask, answer, ledger) {
      if (ask.priority === "critical" && ask.isMore !== true) urgentCame(ask.want);
      if (answer.kind === "refused") {
        if (answer.reason !== "breaker") return;
        if (!isSick) violated("the breaker opened for messages that are refused");
        if (answer.untilMs !== null) successes = 0;
        return;
      }
      const isFirstProbe = answer.isProbe && successes === 0;
      if (isFirstProbe) probeGrantedMs = agenda.nowMs();
      grants.set(answer, { atMs: agenda.nowMs(), isFirstProbe, notBeforeMs });
      if (!ask.isReleased && isBehind(ask, answer.retries, ledger))
        violated("it overtakes what is parked");
      if (ask.priority !== "critical") leftToUrgent = owedToUrgent();
      checkGrant(answer);
    },
    began({ isRetry, priority }, grant) {
      const nowMs = agenda.nowMs();
      const given = grants.get(grant);
      underWay += 1;
      if (priority === "critical") urgentUnderWay += 1;
      if (underWay > config.concurrency) violated(`${underWay} requests at once`);
      const others = underWay - urgentUnderWay;
      if (priority !== "critical" && others > config.concurrency - leftToUrgent)
        violated("no slot is left for what is critical");
      if (isRetry) retries += 1;
      else fresh += 1;
      const gained = ((nowMs - startMs) / 1_000) * at.RETRIES_PER_SECOND_MIN;
      if (retries > at.RETRY_TOKENS_MAX / 10 + 0.2 * fresh + gained + 0.001) {
        violated(`${retries} retries beside ${fresh} fresh deliveries`);
      }
      if (nowMs < (given?.notBeforeMs ?? 0)) violated("Retry-After is not kept");
      const day = Math.floor(nowMs / DAY_MS);
      days.set(day, (days.get(day) ?? 0) + 1);
      if ((days.get(day) ?? 0) > (config.perDay ?? 1e9)) violated("more than the day's quota");
      if (config.perSecond !== null) checkRate(config.perSecond, nowMs);
      if (given?.isFirstProbe !== true) return;
      if (nowMs < probedMs + at.BREAKER_OPEN_MS) violated("a second probe within half a minute");
      probedMs = nowMs;
    },
    ended({ priority }) {
      underWay -= 1;
      if (priority === "critical") urgentUnderWay -= 1;
    },
    wished({ retryAfterMs }) {
      if (retryAfterMs === undefined) return;
      notBeforeMs = Math.max(notBeforeMs, agenda.nowMs() + retryAfterMs);
    },
    reported(grant, sent) {
      const given = grants.get(grant);
      const kinds = sent.map(({ reply }) => reply.kind);
      // What was granted before the last first probe says nothing of the target now.
      if (given === undefined || given.atMs < probeGrantedMs || kinds.length === 0) return;
      const bad = kinds.filter((kind) => kind === "failed" || kind === "timedOut").length;
      const isProbe = grant.isProbe;
      if (kinds.includes("ok") || (isProbe && kinds.includes("rejected"))) {
        failures = 0;
        isOpenDue = false;
      } else if (bad > 0) {
        if (failures === 0) illSinceMs = agenda.nowMs();
        failures += bad;
        const isLong = agenda.nowMs() >= illSinceMs + at.BREAKER_ILL_MS_MIN;
        isOpenDue ||= isLong && failures >= at.BREAKER_CONSECUTIVE_MAX;
      }
      if (!isProbe) return;
      if (bad === 0 && !kinds.includes("dropped")) successes += kinds.length;
      // Enough of them have closed it; what one of these probes says later is one call of many.
      const isOpen = successes < at.BREAKER_PROBES_MIN;
      if (bad > 0 && isOpen && agenda.nowMs() >= sickMs + at.BREAKER_OPEN_MS)
        sickMs = agenda.nowMs();
    },
    told: (priority) => void toldAtMs.set(priority, agenda.nowMs()),
    releasing(count) {
      if (gate.state().breaker.phase !== "closed" && count > 1)
        violated(`${count} probes released`);
      if (count > at.GATE_RELEASE_MAX) violated(`${count} released at once`);
    },
    requests: () => fresh + retries,
    violation: () => found,
  };
}
