/** Pausing and resuming what goes on by itself: replays and fan-outs. */
import type { App } from "../../src/compose.ts";
import type { Json } from "../../src/core/json.ts";
import { type Call, type Operation, operation } from "./operation.ts";

export type Asked = Pick<Call<unknown, unknown>, "stores" | "params">;

interface RunId {
  readonly tenant: string;
  readonly id: string;
}

export interface Pausable {
  /** As in "no such replay". */
  readonly name: string;
  /** Of one of them. */
  readonly path: string;
  /** What a pause does, in a sentence. */
  readonly pauses: string;
  readonly answer: NonNullable<Operation["answer"]>;
  detailOf(call: Asked): Promise<Json>;
  /** Throws the refusal where its state is none of `from`. */
  move(
    call: Asked,
    from: readonly ("running" | "paused")[],
    to: "running" | "paused",
  ): Promise<RunId>;
  setOff(run: RunId, ports: App["deliver"]): Promise<void>;
}

export const stopping = (name: string): Operation["responses"] => ({
  200: `The ${name} as it is now.`,
  404: `No such ${name}.`,
  409: "Its state does not allow it.",
});

export function pausing(kind: Pausable): readonly Operation[] {
  const { name, path, pauses, answer } = kind;
  const responses = stopping(name);
  const common = { method: "post", recorded: "with-change", responses, answer } as const;
  return [
    operation({
      ...{ ...common, path: `${path}/pause`, summary: pauses },
      async handle(call) {
        await kind.move(call, ["running", "paused"], "paused");
        return { status: 200, body: await kind.detailOf(call) };
      },
    }),
    operation({
      ...{ ...common, path: `${path}/resume` },
      summary: `Has a paused ${name} go on where it stopped.`,
      async handle(call) {
        const { tenant, id } = await kind.move(call, ["paused", "running"], "running");
        await kind.setOff({ tenant, id }, call.app.deliver);
        return { status: 200, body: await kind.detailOf(call) };
      },
    }),
  ];
}
