/** Faults of a saga that its shape does not show: names, references, patterns, and what may follow a pivot. */
import { isJsonArray, isJsonObject, type Json, memberOf, parsePath } from "../json.ts";
import { parsePattern } from "../pattern/index.ts";
import type { Fault } from "../problem.ts";
import type { ActionDoc, HttpDoc, NodeDoc, SagaDoc, StepDoc } from "./definition.ts";
import { SAGA_BODY_BYTES_MAX, SAGA_STEPS_MAX } from "./limits.ts";
import { referencesIn } from "./references.ts";

/** All faults at once, each with its JSON Pointer. `doc` has the shape of a saga. */
export function sagaFaults(doc: SagaDoc): Fault[] {
  const faults: Fault[] = [];
  const names = new Set<string>();
  let count = 0;
  let pivot: string | null = null;
  /** Names that every path to here has run. */
  let before: ReadonlySet<string> = new Set();

  const fail = (pointer: string, code: string, detail: string): void => {
    faults.push({ pointer, code, detail });
  };

  function checkStep(step: StepDoc, pointer: string, known: ReadonlySet<string>, isAlone: boolean) {
    count += 1;
    if (names.has(step.name)) {
      fail(
        `${pointer}/name`,
        "name-taken",
        `Another step is called "${step.name}"; names are unique.`,
      );
    }
    names.add(step.name);
    checkKinds(step, pointer, fail);
    if (step.pivot === true) {
      if (pivot !== null)
        fail(`${pointer}/pivot`, "second-pivot", `"${pivot}" is the pivot already.`);
      if (!isAlone)
        fail(
          `${pointer}/pivot`,
          "pivot-in-parallel",
          "A pivot runs alone: move it out of `parallel`.",
        );
      if (step.optional === true)
        fail(`${pointer}/optional`, "optional-pivot", "A pivot that may fail decides nothing.");
      if (step.compensate !== undefined) {
        fail(
          `${pointer}/compensate`,
          "pivot-undone",
          "What a pivot does is never undone; leave `compensate` out.",
        );
      }
      pivot ??= step.name;
    } else if (pivot !== null && step.compensate !== undefined) {
      fail(
        `${pointer}/compensate`,
        "undo-after-pivot",
        `After the pivot "${pivot}" nothing is undone; a step here is tried until it succeeds, or is optional.`,
      );
    }
    for (const [member, pattern] of [
      ["when", step.when],
      ["wait/event", step.wait?.event],
    ] as const) {
      if (pattern === undefined) continue;
      const parsed = parsePattern(pattern);
      if (parsed.ok) continue;
      for (const issue of parsed.issues)
        fail(`${pointer}/${member}${issue.pointer}`, issue.code, issue.detail);
    }
    if (step.action !== undefined) checkAction(step.action, `${pointer}/action`, known);
    if (step.compensate !== undefined) {
      const own = step.settle === "tombstone" ? known : new Set(known).add(step.name);
      checkAction(step.compensate, `${pointer}/compensate`, own);
    }
  }

  function checkAction(action: ActionDoc, pointer: string, known: ReadonlySet<string>) {
    const { http, publish, saga, async } = action;
    const kinds = ACTIONS.filter((kind) => action[kind] !== undefined);
    if (kinds.length !== 1) {
      const found = kinds.length === 0 ? "none" : kinds.join(" and ");
      fail(pointer, "one-kind", `Here is one of ${ACTIONS.join(", ")}; there is ${found}.`);
    }
    if (async !== undefined && http === undefined)
      fail(`${pointer}/async`, "only-of-http", "Only a request is answered later.");
    if (saga !== undefined) checkBody(saga.input, `${pointer}/saga/input`, known);
    if (http !== undefined) checkHttp(http, `${pointer}/http`, known);
    if (publish !== undefined) {
      checkReferences(publish.subject ?? null, `${pointer}/publish/subject`, known);
      checkBody(publish.data, `${pointer}/publish/data`, known);
    }
  }

  function checkHttp(
    { url, target, path, headers = {}, body }: HttpDoc,
    pointer: string,
    known: ReadonlySet<string>,
  ) {
    if ((url === undefined) === (target === undefined))
      fail(pointer, "one-address", "A request goes either to a `url` or to a `target`.");
    if (path !== undefined && target === undefined)
      fail(`${pointer}/path`, "path-without-target", "A `path` is added to a target's URL.");
    if (url !== undefined) checkReferences(url, `${pointer}/url`, known);
    if (path !== undefined) checkReferences(path, `${pointer}/path`, known);
    for (const [name, value] of Object.entries(headers)) {
      checkReferences(value, `${pointer}/headers/${name}`, known);
    }
    checkBody(body, `${pointer}/body`, known);
  }

  function checkBody(body: Json | undefined, pointer: string, known: ReadonlySet<string>) {
    if (body === undefined) return;
    checkReferences(body, pointer, known);
    if (JSON.stringify(body).length > SAGA_BODY_BYTES_MAX) {
      const detail = `A body is a template of ${SAGA_BODY_BYTES_MAX} characters at most.`;
      fail(pointer, "body-too-large", detail);
    }
  }

  function checkReferences(template: Json, pointer: string, known: ReadonlySet<string>): void {
    for (const reference of referencesIn(template)) {
      const [root, name, member] = parsePath(reference) ?? [];
      if (root === "input") continue;
      if (root !== "steps" || typeof name !== "string" || member !== "output") {
        fail(
          pointer,
          "bad-reference",
          `"${reference}" names nothing; write $.input.… or $.steps.name.output.….`,
        );
      } else if (!known.has(name)) {
        const which = allNames.has(name)
          ? "has not run before this step on every path"
          : "does not exist";
        fail(pointer, "unknown-step", `"${reference}": the step "${name}" ${which}.`);
      }
    }
  }

  const allNames = new Set(doc.steps.flatMap(stepsOf).map(({ name }) => name));
  for (const [at, node] of doc.steps.entries()) {
    const pointer = `/steps/${at}`;
    if (!("parallel" in node)) {
      checkStep(node, pointer, before, true);
      before = new Set(before).add(node.name);
      continue;
    }
    for (const [branchAt, branch] of node.parallel.entries()) {
      let known = before;
      for (const [stepAt, step] of branch.entries()) {
        checkStep(step, `${pointer}/parallel/${branchAt}/${stepAt}`, known, false);
        known = new Set(known).add(step.name);
      }
    }
    before = new Set([...before, ...stepsOf(node).map(({ name }) => name)]);
  }
  if (count > SAGA_STEPS_MAX)
    fail("/steps", "too-many-steps", `${count} steps; ${SAGA_STEPS_MAX} at most.`);
  for (const member of ["key", "correlation"] as const) {
    const reference = doc[member];
    if (reference !== undefined && (parsePath(reference) ?? []).length === 0) {
      fail(
        `/${member}`,
        "bad-reference",
        `"${reference}" names no place of an event; write "$.data.orderId".`,
      );
    }
  }
  return faults;
}

const stepsOf = (node: NodeDoc): readonly StepDoc[] =>
  "parallel" in node ? node.parallel.flat() : [node];

const ACTIONS = ["http", "publish", "saga"] as const;
const KINDS = ["action", "delay", "wait", "approve"] as const;

function checkKinds(
  step: StepDoc,
  pointer: string,
  fail: (pointer: string, code: string, detail: string) => void,
): void {
  const kinds = KINDS.filter((kind) => step[kind] !== undefined);
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? "none" : kinds.join(" and ");
    fail(
      pointer,
      "one-kind",
      `A step has one of action, delay, wait and approve; here is ${found}.`,
    );
  }
  if (step.action !== undefined) return;
  for (const member of ["compensate", "retry", "timeoutSeconds", "settle"] as const) {
    if (step[member] === undefined) continue;
    fail(
      `${pointer}/${member}`,
      "only-of-actions",
      `Only a step with an action has \`${member}\`.`,
    );
  }
}

/** What else of the tenant a saga names, with the places. */
export const namedIn = ({
  steps,
}: SagaDoc): { pointer: string; kind: "target" | "saga"; id: string }[] =>
  steps.flatMap(placesOf(`/steps`)).flatMap(({ step, pointer }) =>
    (["action", "compensate"] as const).flatMap((member) => {
      const target = step[member]?.http?.target;
      const child = step[member]?.saga?.name;
      const place = `${pointer}/${member}`;
      return [
        ...(target === undefined
          ? []
          : [{ pointer: `${place}/http/target`, kind: "target" as const, id: target }]),
        ...(child === undefined
          ? []
          : [{ pointer: `${place}/saga/name`, kind: "saga" as const, id: child }]),
      ];
    }),
  );

const placesOf =
  (base: string) =>
  (node: NodeDoc, at: number): { step: StepDoc; pointer: string }[] =>
    "parallel" in node
      ? node.parallel.flatMap((branch, branchAt) =>
          branch.flatMap(placesOf(`${base}/${at}/parallel/${branchAt}`)),
        )
      : [{ step: node, pointer: `${base}/${at}` }];

/** Whether it is worth checking: a schema has said already what is wrong with another shape. */
export const hasSagaShape = (sent: Json): boolean =>
  isJsonObject(sent) && isJsonArray(memberOf(sent, "steps"));
