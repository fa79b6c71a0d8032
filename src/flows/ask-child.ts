/** A step that is another saga: its child is started or asked how it stands, or to undo what it did. */
import { sagaId } from "../core/ids.ts";
import { parseJsonDocument, stringifyJson } from "../core/json.ts";
import { keyOf } from "../core/saga/answer.ts";
import { startOf } from "../core/saga/arrival.ts";
import { outcomeOfChild } from "../core/saga/child.ts";
import type { Direction, Outcome, RenderedChild } from "../core/saga/instance.ts";
import { SAGA_DEPTH_MAX, SAGA_OUTPUT_BYTES_MAX } from "../core/saga/limits.ts";
import type { SagaView } from "../ports/saga.ts";
import type { SagaPorts } from "./saga-ports.ts";
import type { SagaRequest } from "./saga-send.ts";
import { startSaga } from "./start-saga.ts";

type Request = Omit<SagaRequest, "rendered">;

/** "running" until it has ended. Rejects when it, or what it needs, does not answer. */
export async function askChild(
  request: Request,
  rendered: RenderedChild,
  ports: SagaPorts,
): Promise<Outcome | "running"> {
  const { start, step, call } = request;
  if (rendered.child === "undo") {
    const reason = `its parent ${start.id} undoes the step ${step.name}`;
    const answer = await ports.sagas.undo(childId(request, rendered, "action", ports), reason);
    if (answer.kind === "refused") {
      return { kind: "rejected", error: `${rendered.saga}: ${answer.detail}` };
    }
    return answer.kind === "undoing" ? "running" : { kind: "succeeded", output: null };
  }
  const id = childId(request, rendered, call.direction, ports);
  const view = (await ports.sagas.view(id)) ?? (await startChild(id, request, rendered, ports));
  return "kind" in view ? view : shortened(outcomeOfChild(view), id, ports);
}

/** The same for each attempt, whatever becomes of the definition. */
export function childId(
  { start, step, epoch }: Request,
  { saga }: RenderedChild,
  direction: Direction,
  { crypto, text }: SagaPorts,
): string {
  const key = keyOf(start.id, step.name, direction, epoch);
  return sagaId({ tenant: start.tenant, saga, createdAtMs: 0, key }, crypto, text);
}

async function startChild(
  id: string,
  { start, step, call, epoch }: Request,
  { saga, body }: RenderedChild,
  ports: SagaPorts,
): Promise<SagaView | Outcome> {
  const depth = (start.depth ?? 0) + 1;
  if (depth > SAGA_DEPTH_MAX) {
    const error = `${SAGA_DEPTH_MAX} sagas stand above each other already, and no more may`;
    return { kind: "rejected", error };
  }
  const definition = await ports.config.saga(start.tenant, saga);
  if (definition === null) return { kind: "unknown", error: `there is no saga "${saga}"` };
  const read = parseJsonDocument(body ?? "null");
  const input = read.ok ? read.value : null;
  const found = startOf(definition.doc, input);
  const { view } = await startSaga(
    {
      ...{ id, tenant: start.tenant, saga, definition, input, depth },
      key: keyOf(start.id, step.name, call.direction, epoch),
      correlationId: found.correlationId ?? start.correlationId,
      parent: { id: start.id, step: step.name },
      ...(start.hops === undefined ? {} : { hops: start.hops }),
    },
    { ...ports, sagaIndex: ports.index },
  );
  return view;
}

/** Outputs that are too long together are left in the child, where they can be read. */
function shortened(
  outcome: Outcome | "running",
  instance: string,
  { text }: SagaPorts,
): Outcome | "running" {
  if (outcome === "running" || outcome.kind !== "succeeded") return outcome;
  const bytes = text.encode(stringifyJson(outcome.output)).length;
  return bytes > SAGA_OUTPUT_BYTES_MAX ? { ...outcome, output: { instance } } : outcome;
}
