/** A dry run of a saga, with answers that are written down beforehand: for the tests of whoever wrote it. */
import type { App } from "../../src/compose.ts";
import {
  formatPointer,
  isJsonArray,
  isJsonObject,
  type Json,
  stringifyJson,
} from "../../src/core/json.ts";
import type { Fault } from "../../src/core/problem.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { type DryRun, dryRun, type Mock, type Mocks } from "../../src/core/saga/dry-run.ts";
import { SAGA_OUTPUT_BYTES_MAX } from "../../src/core/saga/limits.ts";
import { unpack } from "../../src/core/saga/text.ts";
import { viewOf } from "../../src/flows/saga-view.ts";
import { iso, requireTenant } from "./change.ts";
import { type Call, type Operation, operation, Refusal } from "./operation.ts";
import { sentMember } from "./rules.ts";
import { versionOf } from "./saga-commands.ts";
import { type Given, TestAnswer, type TestBody, testBody } from "./saga-test-schemas.ts";
import { instanceView } from "./saga-view.ts";
import { definitionFaults } from "./sagas.ts";

export const sagaTestOperations: readonly Operation[] = [
  operation<TestBody>({
    method: "post",
    path: "/admin/tenants/{tenant}/sagas/test",
    changes: false,
    summary:
      "Runs a saga through with mocked answers over a clock that jumps: nothing is sent or kept.",
    body: ({ addresses }) => testBody(addresses),
    responses: {
      200: "What it would do.",
      404: "No such tenant or saga.",
      409: "This version is not kept.",
    },
    answer: TestAnswer,
    async faults(sent, { app, addresses, stores, params }) {
      await requireTenant(stores.config, params.tenant ?? "");
      const definition = sentMember(sent, "definition");
      return definitionFaults(definition, addresses, app.deliver.text).map((fault) => ({
        ...fault,
        pointer: `/definition${fault.pointer}`,
      }));
    },
    async handle(call) {
      const { app, body, sent } = call;
      const { doc, version } = await definitionOf(call);
      const startAtMs =
        body.startAt === undefined ? app.deliver.clock.nowMs() : Date.parse(body.startAt);
      const atMs = (seconds: number) => startAtMs + Math.round(seconds * 1_000);
      const sentAt = (list: string, at: number): Json => {
        const all = sentMember(sent, list);
        return isJsonArray(all) ? (all[at] ?? null) : null;
      };
      const given = (member: "mocks" | "compensations"): Mocks =>
        mocksOf(body[member], sentMember(sent, member), app);
      const mocks = { action: given("mocks"), undo: given("compensations") };
      requireSteps(doc, mocks);
      const run = dryRun({
        ...{ doc, startAtMs, mocks, input: sentMember(sent, "input") },
        events: (body.events ?? []).map(({ afterSeconds, id }, at) => ({
          ...{ atMs: atMs(afterSeconds), id: id ?? `evt_${at}` },
          event: sentMember(sentAt("events", at), "event"),
        })),
        commands: (body.signals ?? []).map(({ afterSeconds, command, reason, ...rest }, at) => {
          const own = sentAt("signals", at);
          const isGiven = isJsonObject(own) && Object.hasOwn(own, "output");
          const output = isGiven ? sentMember(own, "output") : undefined;
          const said = { kind: command ?? "signal", reason: reason ?? "a dry run" } as const;
          return { atMs: atMs(afterSeconds), command: { ...rest, ...said, output } };
        }),
      });
      return {
        status: 200,
        body: runView(run, doc, version, startAtMs, sentMember(sent, "input")),
      };
    },
  }),
];

async function definitionOf({
  stores,
  params,
  body,
  sent,
}: Call<TestBody, unknown>): Promise<{ doc: SagaDoc; version: number }> {
  if (body.saga === undefined) {
    return { doc: sentMember(sent, "definition") as unknown as SagaDoc, version: 0 };
  }
  const { version, doc } = await versionOf(stores, params.tenant ?? "", body.saga, body.version);
  return { doc: unpack<SagaDoc>(doc), version };
}

/** Their numbers as they were sent. */
const mocksOf = (given: TestBody["mocks"], sent: Json, app: App): Mocks =>
  new Map(
    Object.entries(given ?? {}).map(([step, mock]) => {
      const own = sentMember(sent, step);
      const all = Array.isArray(mock) ? mock : [mock];
      return [
        step,
        all.map((each, at) => mockOf(each, isJsonArray(own) ? (own[at] ?? null) : own, app)),
      ];
    }),
  );

function mockOf(mock: Given, sent: Json, { deliver: { text } }: App): Mock {
  if ("timeout" in mock) return { answer: { kind: "timeout" }, output: null };
  if ("error" in mock) return { answer: { kind: "network", detail: mock.error }, output: null };
  const isAnswer = "status" in mock;
  const { status, retryAfterSeconds } = isAnswer
    ? mock
    : { status: 200, retryAfterSeconds: undefined };
  const retryAfterMs = retryAfterSeconds === undefined ? null : retryAfterSeconds * 1_000;
  const output = sentMember(sent, isAnswer ? "body" : "output");
  // One that is too long is not kept, as of a real answer.
  const isKept = text.encode(stringifyJson(output)).length <= SAGA_OUTPUT_BYTES_MAX;
  const answer = { kind: "response", status, retryAfterMs, body: "" } as const;
  return { answer, output: isKept ? output : null };
}

/** An answer for a step that there is not is a test of something else. */
function requireSteps(doc: SagaDoc, mocks: Readonly<Record<"action" | "undo", Mocks>>): void {
  const steps = doc.steps.flatMap((node) => ("parallel" in node ? node.parallel.flat() : [node]));
  const faultsOf = (member: string, given: Mocks, has: "action" | "compensate"): Fault[] =>
    [...given.keys()]
      .filter((name) => !steps.some((step) => step.name === name && step[has] !== undefined))
      .map((name) => {
        const detail = `No step "${name}" has ${has === "action" ? "an action" : "a compensation"}.`;
        return { pointer: formatPointer([member, name]), code: "unknown-step", detail };
      });
  const errors = [
    ...faultsOf("mocks", mocks.action, "action"),
    ...faultsOf("compensations", mocks.undo, "compensate"),
  ];
  if (errors.length === 0) return;
  throw new Refusal({ slug: "validation-failed", detail: "Nothing was run.", errors });
}

/** As a real instance is shown, without what only a real one has. */
function runView(
  run: DryRun,
  doc: SagaDoc,
  version: number,
  startedAtMs: number,
  input: Json,
): Json {
  const rows = run.rows.map((row, at) => ({ ...row, rev: at + 1 }));
  const named = { id: "", tenant: "", saga: "", key: "", correlationId: null };
  const start = { ...named, version, doc, input, startedAtMs };
  const { status, paused, reason, steps, journal } = instanceView(
    viewOf(start, run.instance, rows, 0),
  ) as Record<string, Json>;
  return {
    ...{ status, paused, reason, steps, journal },
    ...{ endedAt: iso(run.endedAtMs), stoppedBy: run.stoppedBy },
    requests: run.requests.map(({ atMs, ...rest }) => ({
      ...{ at: iso(atMs), ...rest },
    })) as unknown as Json[],
    ignored: run.ignored.map((each) => ({ ...each })),
  } as Json;
}
