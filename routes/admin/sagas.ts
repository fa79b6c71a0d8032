/** Sagas: their definitions. A change makes a new version; instances that run keep theirs. */
import { isJsonObject, type Json, stringifyJson } from "../../src/core/json.ts";
import { SAGA_DOC_BYTES_MAX } from "../../src/core/limits.ts";
import type { Fault } from "../../src/core/problem.ts";
import { hasSagaShape, namedIn, sagaFaults } from "../../src/core/saga/check.ts";
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
    return [...sagaFaults(doc), ...(await namedFaults(doc, params, stores.config))];
  },
  // As it was sent: numbers of its patterns and bodies keep their spelling.
  store: async ({ sent }) => ({ doc: withoutReadOnly(sent), secrets: null }),
});

async function namedFaults(
  doc: SagaDoc,
  { tenant = "", saga: own }: { readonly tenant?: string; readonly saga?: string },
  config: ConfigStore,
): Promise<Fault[]> {
  const found = await Promise.all(
    namedIn(doc).map(async ({ pointer, kind, id }): Promise<Fault | null> => {
      const code = `unknown-${kind}`;
      if (kind === "saga" && id === own) return null;
      const stored = await config.resource(tenant, kind, id);
      if (stored === null) {
        return { pointer, code, detail: `There is no ${kind} "${id}"; create it first.` };
      }
      if (kind === "saga") return null;
      const is = unpack<{ readonly kind: string }>(stored.doc).kind;
      const detail = `The target "${id}" is of kind ${is}: a request goes to one of kind http.`;
      return is === "http" ? null : { pointer, code, detail };
    }),
  );
  return found.filter((fault) => fault !== null);
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
