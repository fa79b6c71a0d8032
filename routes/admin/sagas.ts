/** Sagas: their definitions. A change makes a new version; instances that run keep theirs. */
import type { Text } from "../../src/core/crypto.ts";
import { type AddressPolicy, PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import { isJsonObject, type Json, stringifyJson } from "../../src/core/json.ts";
import { SAGA_DOC_BYTES_MAX } from "../../src/core/limits.ts";
import type { Fault } from "../../src/core/problem.ts";
import { hasSagaShape, sagaFaults } from "../../src/core/saga/check.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import type { Operation } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { sagaBody } from "./saga-schemas.ts";
import { stored } from "./schemas.ts";

export const sagaOperations: readonly Operation[] = resourceOperations<unknown>({
  kind: "saga",
  body: ({ addresses }) => sagaBody(addresses),
  answer: stored(sagaBody(PUBLIC_ONLY).shape).meta({ id: "Saga" }),
  faults: async (sent, { app, addresses }) => definitionFaults(sent, addresses, app.deliver.text),
  // As it was sent: numbers of its patterns and bodies keep their spelling.
  store: async ({ sent }) => ({ doc: withoutReadOnly(sent), secrets: null }),
});

/** What a schema does not see of a definition that has its shape. */
export function definitionFaults(sent: Json, addresses: AddressPolicy, text: Text): Fault[] {
  // What the schema refuses has no shape to be checked: it names the faults by itself.
  if (!hasSagaShape(sent)) return [];
  if (!sagaBody(addresses).safeParse(withoutReadOnly(sent)).success) return [];
  const bytes = text.encode(stringifyJson(sent)).length;
  if (bytes > SAGA_DOC_BYTES_MAX) {
    const detail = `A saga has ${SAGA_DOC_BYTES_MAX} bytes at most, not ${bytes}.`;
    return [{ pointer: "", code: "too-large", detail }];
  }
  return sagaFaults(sent as unknown as SagaDoc);
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
