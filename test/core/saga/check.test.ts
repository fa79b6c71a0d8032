/** Faults of a saga that its shape does not show: all at once, each at its place. */
import { describe, expect, it } from "vitest";
import { namedIn, sagaFaults } from "../../../src/core/saga/check.ts";
import { compileSaga, type SagaDoc, type StepDoc } from "../../../src/core/saga/definition.ts";

const http = (body?: StepDoc["when"]) => ({
  http: { url: "https://x.example/", ...(body === undefined ? {} : { body }) },
});
const step = (name: string, more: Partial<StepDoc> = {}): StepDoc => ({
  name,
  action: http(),
  ...more,
});
const faultsOf = (...steps: SagaDoc["steps"]) =>
  sagaFaults({ steps }).map(({ pointer, code }) => `${pointer} ${code}`);

it("finds every target and saga that a step names, with its place", () => {
  const to = (target: string) => ({ http: { target } });
  const steps: SagaDoc["steps"] = [
    step("a", { action: to("erp"), compensate: to("bank") }),
    { parallel: [[step("b")], [step("c"), step("d", { action: to("erp") })]] },
    step("e", { action: { saga: { name: "child" } } }),
  ];
  expect(namedIn({ steps })).toEqual([
    { pointer: "/steps/0/action/http/target", kind: "target", id: "erp" },
    { pointer: "/steps/0/compensate/http/target", kind: "target", id: "bank" },
    { pointer: "/steps/1/parallel/1/1/action/http/target", kind: "target", id: "erp" },
    { pointer: "/steps/2/action/saga/name", kind: "saga", id: "child" },
  ]);
});

describe("a saga", () => {
  it("that is right has no fault, and runs as it is written", () => {
    const doc: SagaDoc = {
      key: "$.data.orderId",
      deadlineSeconds: 60,
      steps: [
        step("a", { compensate: http("$.steps.a.output.id") }),
        {
          parallel: [
            [step("b", { action: http("$.steps.a.output") }), step("c")],
            [{ name: "d", delay: { seconds: 5 } }],
          ],
        },
        { name: "e", wait: { event: { type: ["paid"] }, timeoutSeconds: 60 } },
        step("f", { pivot: true, action: http({ all: ["$.steps.c.output", "$.steps.e.output"] }) }),
      ],
    };
    expect(sagaFaults(doc)).toEqual([]);
    const saga = compileSaga(doc);
    expect(saga.sequence).toEqual([0, [[1, 2], [3]], 4, 5]);
    expect(saga.steps.map(({ kind }) => kind).join(" ")).toBe(
      "action action action delay wait action",
    );
    expect(saga.deadlineMs).toBe(60_000);
  });

  it.each([
    ["a name twice", [step("a"), step("a")], ["/steps/1/name name-taken"]],
    ["a step of no kind", [{ name: "a" }], ["/steps/0 one-kind"]],
    ["a step of two kinds", [step("a", { delay: { seconds: 1 } })], ["/steps/0 one-kind"]],
    [
      "an undo of what does nothing",
      [{ name: "a", delay: { seconds: 1 }, compensate: http() }],
      ["/steps/0/compensate only-of-actions"],
    ],
    [
      "a reference to a later step",
      [step("a", { action: http("$.steps.b.output") }), step("b")],
      ["/steps/0/action/http/body unknown-step"],
    ],
    [
      "a circle of references",
      [
        step("a", { action: http("$.steps.b.output") }),
        step("b", { action: http("$.steps.a.output") }),
      ],
      ["/steps/0/action/http/body unknown-step"],
    ],
    [
      "a reference to itself",
      [step("a", { action: http("$.steps.a.output") })],
      ["/steps/0/action/http/body unknown-step"],
    ],
    [
      "a reference into another branch",
      [{ parallel: [[step("a")], [step("b", { action: http("$.steps.a.output") })]] }],
      ["/steps/0/parallel/1/0/action/http/body unknown-step"],
    ],
    [
      "a reference that names nothing",
      [step("a", { action: http(["$.event.id", "{{$.steps.a}}"]) })],
      ["/steps/0/action/http/body bad-reference", "/steps/0/action/http/body bad-reference"],
    ],
    [
      "an undo that may come first and needs the output",
      [step("a", { settle: "tombstone", compensate: http("$.steps.a.output.id") })],
      ["/steps/0/compensate/http/body unknown-step"],
    ],
    [
      "two pivots, one of them undone",
      [step("a", { pivot: true }), step("b", { pivot: true, compensate: http() })],
      ["/steps/1/pivot second-pivot", "/steps/1/compensate pivot-undone"],
    ],
    [
      "an undo after the pivot",
      [step("a", { pivot: true }), step("b", { compensate: http() })],
      ["/steps/1/compensate undo-after-pivot"],
    ],
    [
      "a pivot beside others",
      [{ parallel: [[step("a", { pivot: true })], [step("b")]] }],
      ["/steps/0/parallel/0/0/pivot pivot-in-parallel"],
    ],
    [
      "a pivot that may fail",
      [step("a", { pivot: true, optional: true })],
      ["/steps/0/optional optional-pivot"],
    ],
    [
      "a pattern that is none",
      [step("a", { when: { input: "x" } })],
      ["/steps/0/when/input bare-value"],
    ],
    [
      "a request to nowhere, and one to two places",
      [
        step("a", { action: { http: {} } }),
        step("b", { action: { http: { url: "https://x.example/", target: "erp" } } }),
      ],
      ["/steps/0/action/http one-address", "/steps/1/action/http one-address"],
    ],
    [
      "a path of no target, that names what has not run",
      [
        step("a", {
          action: { http: { url: "https://x.example/", path: "/{{$.steps.b.output}}" } },
        }),
      ],
      ["/steps/0/action/http/path path-without-target", "/steps/0/action/http/path unknown-step"],
    ],
    [
      "an action of two kinds, and one of none",
      [
        step("a", { action: { ...http(), publish: { type: "told" } } }),
        step("b", { action: { async: { timeoutSeconds: 1 } } }),
      ],
      [
        "/steps/0/action one-kind",
        "/steps/1/action one-kind",
        "/steps/1/action/async only-of-http",
      ],
    ],
    [
      "an event of what has not run",
      [
        step("a", {
          action: { publish: { type: "t", subject: "{{$.steps.b.output}}", data: "$.x" } },
        }),
      ],
      [
        "/steps/0/action/publish/subject unknown-step",
        "/steps/0/action/publish/data bad-reference",
      ],
    ],
    [
      "201 steps",
      Array.from({ length: 201 }, (_, at) => step(`s${at}`)),
      ["/steps too-many-steps"],
    ],
    [
      "a body too large",
      [step("a", { action: http("x".repeat(300_000)) })],
      ["/steps/0/action/http/body body-too-large"],
    ],
  ] as const)("with %s is refused", (_, steps, faults) => {
    expect(faultsOf(...(steps as SagaDoc["steps"]))).toEqual(faults);
  });

  it("with a key that names no place is refused", () => {
    const faults = sagaFaults({ steps: [step("a")], key: "data.id", correlation: "$" });
    expect(faults.map(({ pointer }) => pointer)).toEqual(["/key", "/correlation"]);
  });
});
