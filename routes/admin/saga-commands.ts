/** What a person may do with an instance of a saga. */
import * as z from "zod";
import type { Text } from "../../src/core/crypto.ts";
import { isJsonObject, type Json, stringifyJson } from "../../src/core/json.ts";
import type { Command } from "../../src/core/saga/commands.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { SAGA_OUTPUT_BYTES_MAX } from "../../src/core/saga/limits.ts";
import { unpack } from "../../src/core/saga/text.ts";
import type { AdminStores } from "../../src/ports/admin.ts";
import type { CommandAnswer, SagaView } from "../../src/ports/saga.ts";
import { invalid, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { sentMember } from "./rules.ts";
import {
  CommandBody,
  CommandName,
  Comparison,
  InstanceAnswer,
  MigrateBody,
} from "./saga-instance-schemas.ts";
import { instanceView, requireInstance } from "./saga-view.ts";
import { definitionFaults, namedFaults } from "./sagas.ts";

/** What was done; refused with its reason if it was not. */
function doneOf(answer: CommandAnswer): SagaView {
  switch (answer.kind) {
    case "done":
      return answer.view;
    case "unknown":
      throw notFound("saga instance");
    case "rev-differs": {
      const detail = `The instance is at rev ${answer.rev} now.`;
      throw new Refusal({ slug: "conflict", detail, extensions: { rev: answer.rev } });
    }
    case "id-taken": {
      const detail = `This commandId is that of another command, at rev ${answer.rev}.`;
      throw new Refusal({ slug: "conflict", detail, extensions: { rev: answer.rev } });
    }
    case "refused": {
      const { detail, faults, isState } = answer;
      if (!isState) throw invalid([{ pointer: "", code: "bad-command", detail }]);
      const errors = faults === undefined ? {} : { errors: faults };
      throw new Refusal({ slug: "conflict", detail, ...errors });
    }
  }
}

const PATH = "/admin/tenants/{tenant}/saga-instances";

export const sagaCommandOperations: readonly Operation[] = [
  operation<z.infer<typeof MigrateBody>>({
    method: "post",
    path: `${PATH}/{instance}/migrate`,
    changes: ({ dryRun }) => dryRun !== true,
    summary:
      "Has an instance go on by another version of its saga, if what it has reached is the same there; or only compares.",
    body: MigrateBody,
    responses: {
      200: "The instance; with `dryRun` what is different, and what stands against it.",
      404: "No such instance or saga.",
      409: "Not in this state; every fault is named.",
    },
    answer: z.union([InstanceAnswer, Comparison]),
    async handle({ app, stores, params, body, addresses }) {
      const { id, tenant, saga } = await requireInstance(app, params);
      const { expectedRev, commandId, toVersion, dryRun = false, ...rest } = body;
      const { version, doc } = await versionOf(stores, tenant, saga, toVersion);
      // A version of before must hold today: what it names may be gone.
      const sent = unpack<Json>(doc);
      const missing = [
        ...definitionFaults(sent, addresses, app.deliver.text),
        ...(await namedFaults(sent, { tenant, saga }, stores.config)),
      ];
      if (missing.length > 0 && !dryRun) {
        const detail = `Version ${version} does not hold today.`;
        throw new Refusal({ slug: "conflict", detail, errors: missing });
      }
      const order = { ...rest, id: commandId, version, doc: unpack<SagaDoc>(doc), dryRun };
      const answer = await app.deliver.sagas.migrate(id, order, expectedRev);
      if (answer.kind !== "compared") return { status: 200, body: instanceView(doneOf(answer)) };
      const { difference, rev, version: fromVersion } = answer;
      const faults = [...missing, ...answer.faults];
      const allowed = faults.length === 0;
      const versions = { rev, fromVersion, toVersion: version };
      const compared = { dryRun: true, ...versions, allowed, ...difference, faults };
      return { status: 200, body: compared as unknown as Json };
    },
  }),
  operation<z.infer<typeof CommandBody>>({
    method: "post",
    path: `${PATH}/{instance}/{command}`,
    summary: "What a person may do: pause, retry or skip a step, compensate, abandon and more.",
    body: CommandBody,
    responses: { 200: "Done.", 404: "No such instance or command.", 409: "Not in this state." },
    answer: InstanceAnswer,
    async handle({ app, params, body, sent }) {
      const kind = CommandName.safeParse(params.command);
      if (!kind.success) throw notFound("command");
      const { id } = await requireInstance(app, params);
      const { expectedRev, commandId, ...rest } = body;
      const output = outputOf(sent, app.deliver.text);
      const command: Command = { ...rest, id: commandId, kind: kind.data, output };
      const answer = await app.deliver.sagas.command(id, command, expectedRev);
      return { status: 200, body: instanceView(doneOf(answer)) };
    },
  }),
];

/** The present version, or the one that stood at a revision of the tenant. */
export async function versionOf(
  stores: AdminStores,
  tenant: string,
  saga: string,
  revision: number | undefined,
): Promise<{ readonly version: number; readonly doc: string }> {
  const present = await stores.config.resource(tenant, "saga", saga);
  if (revision === undefined || revision === present?.version) {
    if (present === null) throw notFound("saga");
    return present;
  }
  const { version, doc } = (await stores.sagaVersions.at(tenant, saga, revision)) ?? { doc: null };
  if (doc !== null && version !== undefined) return { version, doc };
  const detail =
    version === undefined
      ? `Version ${revision} of "${saga}" is not there, or no longer kept: list its versions.`
      : `"${saga}" was deleted in version ${version}: nothing stands there.`;
  throw new Refusal({ slug: "conflict", detail });
}

/** Numbers as they were sent; no longer than what a step may answer. */
export function outputOf(sent: Json, text: Text): Json | undefined {
  if (!isJsonObject(sent) || !Object.hasOwn(sent, "output")) return undefined;
  const output = sentMember(sent, "output");
  const bytes = text.encode(stringifyJson(output)).length;
  if (bytes <= SAGA_OUTPUT_BYTES_MAX) return output;
  const detail = `An output has ${SAGA_OUTPUT_BYTES_MAX} bytes at most, not ${bytes}.`;
  throw invalid([{ pointer: "/output", code: "too-large", detail }]);
}
