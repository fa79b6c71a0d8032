/** Sagas: their definitions. A change makes a new version; instances that run keep theirs. */
import { isJsonObject, type Json, stringifyJson } from "../../src/core/json.ts";
import { SAGA_DOC_BYTES_MAX } from "../../src/core/limits.ts";
import type { Fault } from "../../src/core/problem.ts";
import { hasSagaShape, sagaFaults, targetsIn } from "../../src/core/saga/check.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { unpack } from "../../src/core/saga/text.ts";
import type { ConfigStore } from "../../src/ports/config.ts";
import type { Operation } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { sagaBody } from "./saga-schemas.ts";
import { stored } from "./schemas.ts";

export const sagaOperations: readonly Operation[] = resourceOperations<unknown>({
  kind: "saga",
  body: ({ allowPrivateTargets }) => sagaBody(allowPrivateTargets),
  answer: stored(sagaBody(true).shape).meta({ id: "Saga" }),
  async faults(sent, { app, stores, params }) {
    // What the schema refuses has no shape to be checked: it names the faults by itself.
    if (!hasSagaShape(sent)) return [];
    const isShaped = sagaBody(app.config.allowPrivateTargets).safeParse(
      withoutReadOnly(sent),
    ).success;
    if (!isShaped) return [];
    const bytes = app.deliver.text.encode(stringifyJson(sent)).length;
    if (bytes > SAGA_DOC_BYTES_MAX) {
      const detail = `A saga has ${SAGA_DOC_BYTES_MAX} bytes at most, not ${bytes}.`;
      return [{ pointer: "", code: "too-large", detail }];
    }
    const doc = sent as unknown as SagaDoc;
    return [...sagaFaults(doc), ...(await targetFaults(doc, params.tenant ?? "", stores.config))];
  },
  // As it was sent: numbers of its patterns and bodies keep their spelling.
  store: async ({ sent }) => ({ doc: withoutReadOnly(sent), secrets: null }),
});

async function targetFaults(doc: SagaDoc, tenant: string, config: ConfigStore): Promise<Fault[]> {
  const named = targetsIn(doc);
  const kinds = new Map<string, unknown>();
  for (const id of new Set(named.map(({ target }) => target))) {
    const stored = await config.resource(tenant, "target", id);
    kinds.set(id, stored === null ? null : unpack<{ kind: string }>(stored.doc).kind);
  }
  return named.flatMap(({ pointer, target }) => {
    const kind = kinds.get(target);
    if (kind === "http") return [];
    const detail =
      kind === null
        ? `There is no target "${target}"; create it first.`
        : `The target "${target}" is of kind ${kind}: a request goes to one of kind http.`;
    return [{ pointer, code: "unknown-target", detail }];
  });
}

const OWN = ["steps", "key", "correlation", "deadlineSeconds", "description"];

const withoutReadOnly = (sent: Json): Json =>
  isJsonObject(sent)
    ? Object.fromEntries(
        Object.entries(sent).filter(([name]) => OWN.includes(name) || !READ_ONLY.has(name)),
      )
    : sent;

/** Members of an answer that a PUT of a changed copy may bring back. */
const READ_ONLY = new Set(["id", "version", "createdAt", "updatedAt"]);
