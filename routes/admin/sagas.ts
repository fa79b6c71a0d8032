/** Sagas: their definitions. A change makes a new version; instances that run keep theirs. */
import type { Text } from "../../src/core/crypto.ts";
import { type AddressPolicy, PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import { isJsonObject, type Json, stringifyJson } from "../../src/core/json.ts";
import type { Fault } from "../../src/core/problem.ts";
import { hasSagaShape, namedIn, sagaFaults } from "../../src/core/saga/check.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { SAGA_DOC_BYTES_MAX } from "../../src/core/saga/limits.ts";
import { unpack } from "../../src/core/saga/text.ts";
import type { ConfigStore } from "../../src/ports/config.ts";
import type { Operation } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { sagaBody } from "./saga-schemas.ts";
import { stored } from "./schemas.ts";

export const sagaOperations: readonly Operation[] = resourceOperations<unknown>({
  kind: "saga",
  body: ({ addresses }) => sagaBody(addresses),
  answer: stored(sagaBody(PUBLIC_ONLY).shape).meta({ id: "Saga" }),
  async faults(sent, { app, addresses, stores, params }) {
    const own = definitionFaults(sent, addresses, app.deliver.text);
    return [...own, ...(await namedFaults(sent, params, stores.config))];
  },
  // As it was sent: numbers of its patterns and bodies keep their spelling.
  store: async ({ sent }) => ({ doc: ownOf(sent), secrets: null }),
});

/** Targets and sagas that a definition names and that are not there now. */
export async function namedFaults(
  sent: Json,
  { tenant = "", saga: own }: { readonly tenant?: string; readonly saga?: string },
  config: ConfigStore,
): Promise<Fault[]> {
  if (!hasSagaShape(sent)) return [];
  const found = await Promise.all(
    namedIn(sent as unknown as SagaDoc).map(
      async ({ pointer, kind, id }): Promise<Fault | null> => {
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
      },
    ),
  );
  return found.filter((fault) => fault !== null);
}

/** What a schema does not see of a definition that has its shape. */
export function definitionFaults(sent: Json, addresses: AddressPolicy, text: Text): Fault[] {
  // What the schema refuses has no shape to be checked: it names the faults by itself.
  if (!hasSagaShape(sent)) return [];
  const own = ownOf(sent);
  if (!sagaBody(addresses).safeParse(own).success) return [];
  const bytes = text.encode(stringifyJson(own)).length;
  if (bytes > SAGA_DOC_BYTES_MAX) {
    const detail = `A saga has ${SAGA_DOC_BYTES_MAX} bytes at most, not ${bytes}.`;
    return [{ pointer: "", code: "too-large", detail }];
  }
  return sagaFaults(own as unknown as SagaDoc);
}

const OWN = Object.keys(sagaBody(PUBLIC_ONLY).shape);

/** Without what a changed copy of an answer brings back; what no saga has is named by the schema. */
const ownOf = (sent: Json): Json =>
  isJsonObject(sent)
    ? Object.fromEntries(Object.entries(sent).filter(([name]) => OWN.includes(name)))
    : sent;
