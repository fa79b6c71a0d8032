/** What a person may do with an instance of a saga. */
import type * as z from "zod";
import type { Text } from "../../src/core/crypto.ts";
import { isJsonObject, type Json, stringifyJson } from "../../src/core/json.ts";
import { SAGA_OUTPUT_BYTES_MAX } from "../../src/core/limits.ts";
import type { Command } from "../../src/core/saga/commands.ts";
import { invalid, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { sentMember } from "./rules.ts";
import { CommandBody, CommandName, InstanceAnswer } from "./saga-schemas.ts";
import { instanceView, requireInstance } from "./saga-view.ts";

const PATH = "/admin/tenants/{tenant}/saga-instances";

export const sagaCommandOperations: readonly Operation[] = [
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
      switch (answer.kind) {
        case "done":
          return { status: 200, body: instanceView(answer.view) };
        case "unknown":
          throw notFound("saga instance");
        case "rev-differs": {
          const detail = `The instance is at rev ${answer.rev}, not ${expectedRev}.`;
          throw new Refusal({ slug: "conflict", detail, extensions: { rev: answer.rev } });
        }
        case "id-taken": {
          const detail = `commandId "${commandId}" is that of another command, at rev ${answer.rev}.`;
          throw new Refusal({ slug: "conflict", detail, extensions: { rev: answer.rev } });
        }
        case "refused":
          if (answer.isState) throw new Refusal({ slug: "conflict", detail: answer.detail });
          throw invalid([{ pointer: "", code: "bad-command", detail: answer.detail }]);
      }
    },
  }),
];

/** Numbers as they were sent; no longer than what a step may answer. */
export function outputOf(sent: Json, text: Text): Json | undefined {
  if (!isJsonObject(sent) || !Object.hasOwn(sent, "output")) return undefined;
  const output = sentMember(sent, "output");
  const bytes = text.encode(stringifyJson(output)).length;
  if (bytes <= SAGA_OUTPUT_BYTES_MAX) return output;
  const detail = `An output has ${SAGA_OUTPUT_BYTES_MAX} bytes at most, not ${bytes}.`;
  throw invalid([{ pointer: "/output", code: "too-large", detail }]);
}
