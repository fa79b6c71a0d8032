/** The router killed at work, ended, and started again on the same state: what it took is delivered. */
import { readdirSync, rmSync } from "node:fs";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createAdmin } from "../../src/local/admin.ts";
import { hangUp, never, receiverHere, status } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import {
  adminToken,
  type Program,
  type Starting,
  spawnProgram,
  startProgram,
} from "../support/program.ts";
import { type Answer, type Receiver, startReceiver } from "../support/receiver.ts";
import { builtState, emptyState, preparedState } from "../support/state.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let stateDirectory: string;
const started: Starting[] = [];

/** The one of the test at hand. */
function useState(directory: string): void {
  stateDirectory = directory;
  onTestFinished(async () => {
    for (const program of started.splice(0)) await program.kill();
    rmSync(directory, { recursive: true, force: true });
  });
}

async function start(): Promise<Program> {
  const program = await startProgram(stateDirectory);
  started.push(program);
  return program;
}

/** Two starts, and retries a second apart. */
const TIMEOUT_MS = 120_000;

/** A receiver that is not well until `recover` is called. */
async function patient(illness: Answer): Promise<{ receiver: Receiver; recover(): void }> {
  let answer = illness;
  const receiver = await receiverHere((request, response) => answer(request, response));
  return {
    receiver,
    recover() {
      answer = status(200);
    },
  };
}

const retry = { delaysSeconds: Array.from({ length: 50 }, () => 1) };

/** Eight senders at once; after `count` webhooks comes the `end`. Answers the ids of what was accepted. */
async function sendUntil(end: () => Promise<void>, count: number, program: Program, to: string[]) {
  const ids: string[] = [];
  let ending: Promise<void> | null = null;
  const send = async (sender: number): Promise<void> => {
    for (let sent = 0; ending === null; sent += 1) {
      const body = JSON.stringify({ to, sender, sent });
      const answer = accepted(program.send("acme/open", { body }));
      ids.push(...(await answer.then(({ id }) => [id]).catch(() => [])));
      if (ids.length >= count) ending ??= end();
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, sender) => send(sender)));
  await ending;
  return ids;
}

/** Each event has come, under one webhook-id only. */
async function expectAll(receiver: Receiver, ids: readonly string[]): Promise<void> {
  const missing = await eventually(
    async () => {
      const came = new Set(receiver.received.map(({ headers }) => headers["signalbox-event"]));
      return ids.filter((id) => !came.has(id));
    },
    (left) => left.length === 0,
    40_000,
  );
  expect(missing).toEqual([]);
  const pairs = receiver.received.map(
    ({ headers }) => `${headers["signalbox-event"]} ${headers["webhook-id"]}`,
  );
  const events = new Set(receiver.received.map(({ headers }) => headers["signalbox-event"]));
  expect(new Set(pairs).size).toBe(events.size);
}

describe("killed without warning", () => {
  beforeEach(() => useState(preparedState()));

  it("while webhooks come in and receivers are ill, the router delivers all it accepted", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const [down, silent] = await Promise.all([patient(hangUp), patient(never)]);
    const first = await start();
    await prepareTenant(first, "acme", {
      down: { url: down.receiver.url, retry },
      silent: { url: silent.receiver.url, retry, timeoutMs: 5_000 },
    });
    const ids = await sendUntil(() => first.kill(), 60, first, ["down", "silent"]);
    expect(first.running()).toEqual([]);

    down.recover();
    silent.recover();
    const second = await start();
    await expectAll(down.receiver, ids);
    await expectAll(silent.receiver, ids);
    const open = await eventually(
      () => second.admin.get("tenants/acme/deliveries?limit=1000"),
      // What has come has no row until its result is written.
      ({ body: { items } }) =>
        items.length >= 2 * ids.length &&
        items.every(({ state }: { state: string }) => state === "delivered"),
    );
    expect(open.body.items.length).toBeGreaterThanOrEqual(2 * ids.length);
  });

  it("the engine alone, the router starts it again and delivers what it had accepted", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { receiver, recover } = await patient(hangUp);
    const program = await start();
    await prepareTenant(program, "acme", { down: { url: receiver.url, retry } });
    const ids = await sendUntil(() => program.kill("workerd"), 20, program, ["down"]);
    recover();
    await expectAll(receiver, ids);
  });
});

describe("started on a new state", () => {
  it("it is ready when it first answers: its tables are there", {
    timeout: TIMEOUT_MS,
  }, async () => {
    useState(emptyState());
    const place = await startReceiver();
    await place.stop(); // whose port is free now
    const program = spawnProgram(stateDirectory, Number(new URL(place.url).port));
    started.push(program);
    const admin = createAdmin(place.url, adminToken());
    const answer = await eventually(
      () => admin.request("PUT", "tenants/first", {}).catch(() => null),
      (heard) => heard !== null,
      40_000,
    );
    expect(answer?.status).toBe(201);
  });
});

describe("told to end", () => {
  beforeEach(() => useState(preparedState()));

  it.each(["SIGTERM", "SIGINT"] as const)(
    "by %s, it ends with 0 and leaves no process",
    async (signal) => {
      const program = await start();
      expect(program.running().some((command) => command.includes("workerd"))).toBe(true);
      expect(await program.end(signal)).toBe(0);
      expect(program.running()).toEqual([]);
    },
  );

  it.each(["run.mjs", "start.ts"])("by killing %s alone, the rest ends too", async (part) => {
    const program = await start();
    await program.kill(part);
    await eventually(
      async () => program.running(),
      (left) => left.length === 0,
    );
  });
});

describe("killed while it starts", () => {
  const running = (part: string) => (program: Starting) =>
    program.running().some((command) => command.includes(part));
  const hasDatabase = () =>
    readdirSync(stateDirectory, { recursive: true, encoding: "utf8" }).some((path) =>
      /^d1.*(?<!metadata)\.sqlite$/.test(path),
    );

  it.each([
    {
      point: "the program has begun",
      isThere: running("start.ts"),
      part: "run.mjs",
      state: emptyState,
    },
    {
      point: "the Worker is being built",
      isThere: running("deploy"),
      part: "start.ts",
      state: emptyState,
    },
    {
      point: "the engine has begun",
      isThere: running("workerd"),
      part: "start.ts",
      state: builtState,
    },
    {
      point: "the engine has opened its database",
      isThere: hasDatabase,
      part: "run.mjs",
      state: builtState,
    },
    {
      point: "the engine has opened its database",
      isThere: hasDatabase,
      part: "src/local",
      state: builtState,
    },
  ])(
    "when $point, by killing $part alone, it leaves no process",
    {
      timeout: TIMEOUT_MS,
    },
    async ({ isThere, part, state }) => {
      useState(state());
      const program = spawnProgram(stateDirectory);
      started.push(program);
      await eventually(
        async () => isThere(program),
        (there) => there,
        40_000,
      );
      await program.kill(part);
      await eventually(
        async () => program.running(),
        (left) => left.length === 0,
      );
    },
  );
});
