/** The tokens that one isolate holds for receivers that want one: each asked for once by all who need it. */

import {
  TOKEN_ANSWER_BYTES_MAX,
  TOKEN_FAILURE_MS,
  TOKEN_FORGET_MS,
  TOKEN_TIMEOUT_MS,
  TOKENS_MAX,
} from "../core/deliver/limits.ts";
import {
  type ClientCredentials,
  type TokenAnswer,
  tokenAnswer,
  tokenRequest,
} from "../core/deliver/token.ts";
import { type Clock, within } from "../ports/clock.ts";
import type { DeliverPorts } from "./ports.ts";

type Ports = Pick<DeliverPorts, "clock" | "text" | "transport">;

export interface Tokens {
  /** A token for a tenant's target, as it is held or as its endpoint gives it. Never rejects. */
  get(
    tenant: string,
    auth: ClientCredentials,
    timeoutMs: number,
    ports: Ports,
  ): Promise<TokenAnswer>;
  /** A receiver did not take it: another is asked for, but not again and again. */
  refused(tenant: string, auth: ClientCredentials, token: string, clock: Clock): void;
}

interface Held {
  readonly answer: TokenAnswer;
  readonly untilMs: number;
}

export function createTokens(): Tokens {
  const held = new Map<string, Held>();
  const asking = new Map<string, Promise<TokenAnswer>>();
  const forgottenAtMs = new Map<string, number>();

  async function ask(
    auth: ClientCredentials,
    timeoutMs: number,
    { text, transport }: Ports,
  ): Promise<TokenAnswer> {
    const answerBytesMax = TOKEN_ANSWER_BYTES_MAX;
    const request = { url: auth.tokenUrl, ...tokenRequest(auth, text), timeoutMs, answerBytesMax };
    return tokenAnswer(await transport.send(request));
  }

  async function askForAll(
    key: string,
    auth: ClientCredentials,
    timeoutMs: number,
    ports: Ports,
  ): Promise<TokenAnswer> {
    const started = ask(auth, timeoutMs, ports);
    asking.set(key, started);
    try {
      const answer = await started;
      const forMs = answer.kind === "token" ? answer.usableMs : TOKEN_FAILURE_MS;
      keep(held, key, { answer, untilMs: ports.clock.nowMs() + forMs });
      return answer;
    } finally {
      if (asking.get(key) === started) asking.delete(key);
    }
  }

  return {
    async get(tenant, auth, timeoutMs, ports) {
      const key = keyOf(tenant, auth);
      const known = held.get(key);
      if (known !== undefined && ports.clock.nowMs() < known.untilMs) return known.answer;
      const patienceMs = Math.min(timeoutMs, TOKEN_TIMEOUT_MS);
      const running = asking.get(key);
      if (running === undefined) return askForAll(key, auth, patienceMs, ports);
      try {
        return await within(running, patienceMs, ports.clock, () => new Error("late"));
      } catch {
        // Whoever asked has ended before the answer came: the next one asks anew.
        if (asking.get(key) === running) asking.delete(key);
        return {
          kind: "failed",
          detail: "no token: another request for it is late",
          isFinal: false,
        };
      }
    },
    refused(tenant, auth, token, clock) {
      const key = keyOf(tenant, auth);
      const answer = held.get(key)?.answer;
      if (answer?.kind !== "token" || answer.token !== token) return;
      const lastMs = forgottenAtMs.get(key) ?? Number.NEGATIVE_INFINITY;
      if (clock.nowMs() - lastMs < TOKEN_FORGET_MS) return;
      held.delete(key);
      keep(forgottenAtMs, key, clock.nowMs());
    },
  };
}

/** Whatever a token depends on; a tenant's are its own. */
const keyOf = (
  tenant: string,
  { tokenUrl, clientId, clientSecret, scope }: ClientCredentials,
): string => JSON.stringify([tenant, tokenUrl, clientId, clientSecret, scope]);

/** Adds the newest and drops the oldest above the bound. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next().value;
  if (map.size > TOKENS_MAX && oldest !== undefined) map.delete(oldest);
}
