/** One instance of a saga over a journal in memory: started, watched, commanded, and hours that pass. */
import { afterAll, beforeAll } from "vitest";
import type { Command, CommandKind } from "../../src/core/saga/commands.ts";
import type { NodeDoc, SagaDoc, StepDoc } from "../../src/core/saga/definition.ts";
import type { SagaConfig, SagaStart } from "../../src/ports/saga.ts";
import type { SagaDirectory } from "../../src/ports/saga-index.ts";
import { createFakeClock, idle } from "../support/fake-clock.ts";
import { createMemoryGates } from "../support/memory-gates.ts";
import { createMemorySagas } from "../support/memory-sagas.ts";
import { createMemoryLog } from "../support/memory-system.ts";
import { createMemoryTransport } from "../support/memory-transport.ts";

export const RETRY = { maxAttempts: 3, initialSeconds: 10, factor: 1, maxSeconds: 10 };
const ID = "sga_1";

/** Whether the processes of all instances die with every transaction. */
export const life = { dies: false };

/** The suites of sagas run twice: with processes that live on, and with such as die. */
export const LIVES = [
  { life: "", dies: false },
  { life: ", over processes that die with every transaction,", dies: true },
] as const;

/** Has the suite that calls it run over such processes. */
export function liveSo(dies: boolean): void {
  beforeAll(() => {
    life.dies = dies;
  });
  afterAll(() => {
    life.dies = false;
  });
}

export function step(name: string, more: Partial<StepDoc> = {}): StepDoc {
  // A request that a death held up counts as an attempt: it may have left, as far as the next process knows.
  const retry = { ...RETRY, maxAttempts: RETRY.maxAttempts * (life.dies ? 2 : 1) };
  return {
    ...{ name, action: { http: { url: `https://x.example/${name}` } }, retry },
    compensate: { http: { url: `https://x.example/un-${name}` }, retry },
    ...more,
  };
}

export type SagaWorld = ReturnType<typeof createSagaWorld>;

/** `index`: in place of the index, for failures; `config`: what steps may name. */
export function createSagaWorld(
  index: Partial<SagaDirectory> = {},
  config: Partial<SagaConfig> = {},
) {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const transport = createMemoryTransport(clock.nowMs);
  const gates = createMemoryGates(clock, log);
  const sagas = createMemorySagas({ clock, log, transport, index, config, gates, ...life });
  const journal = () => {
    const found = sagas.journals.get(ID);
    if (found === undefined) throw new Error("there is no journal");
    return found;
  };
  return {
    ...{ clock, gates, log, transport, sagas, journal },

    async start(
      steps: readonly NodeDoc[],
      more: Partial<SagaDoc> = {},
      input: SagaStart["input"] = { n: 1 },
    ) {
      const doc = { steps, ...more };
      const started = await sagas.start({
        ...{ id: ID, tenant: "acme", saga: "order", version: 1, key: "k", correlationId: "c" },
        ...{ doc, input, startedAtMs: clock.nowMs() },
      });
      await idle();
      return started;
    },

    /** Every alarm goes off at its time. */
    async pass(seconds: number) {
      for (const end = clock.nowMs() + seconds * 1_000; clock.nowMs() < end; ) {
        await clock.advance(1_000);
        await clock.run(sagas.alarms());
      }
    },

    async view() {
      const found = await sagas.view(ID);
      if (found === null) throw new Error("there is no instance");
      return found;
    },

    paths: () => transport.sent.map(({ url }) => new URL(url).pathname.slice(1)),
    receive: (event: string, body: { type: string }) => sagas.receive(ID, event, body),
    command: (kind: CommandKind, expectedRev?: number, more: Partial<Command> = {}) =>
      sagas.command(ID, { kind, reason: "a test", ...more }, expectedRev),
  };
}
