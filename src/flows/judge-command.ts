/** Whether a person's command is carried out now, was carried out before, or is refused. */
import type { Crypto, Text } from "../core/crypto.ts";
import { base32 } from "../core/ids.ts";
import { type Command, commanded } from "../core/saga/commands.ts";
import type { Entry } from "../core/saga/instance.ts";
import { pack } from "../core/saga/text.ts";
import type { Clock } from "../ports/clock.ts";
import type { Actor, CommandAnswer } from "../ports/saga.ts";
import type { SagaRecord } from "./saga-record.ts";

export type Judged =
  | { readonly kind: "allowed"; readonly entries: readonly Entry[]; readonly actor: Actor }
  /** The journal has it already. */
  | { readonly kind: "repeated" }
  | Exclude<CommandAnswer, { readonly kind: "done" }>;

export interface JudgePorts {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly text: Text;
}

export function judge(
  { known, rows, rev }: SagaRecord,
  command: Command,
  expectedRev: number | undefined,
  ports: JudgePorts,
): Judged {
  if (known === null) return { kind: "unknown" };
  const { id, actor: name, kind, reason } = command;
  const hash = id === undefined ? undefined : hashOf(command, ports);
  const before = id === undefined ? undefined : rows.find(({ actor }) => actor.commandId === id);
  if (before !== undefined) {
    return before.actor.commandHash === hash
      ? { kind: "repeated" }
      : { kind: "id-taken", rev: before.rev };
  }
  if (expectedRev !== undefined && expectedRev !== rev) return { kind: "rev-differs", rev };
  const result = commanded(known.instance, command, ports.clock.nowMs());
  if (!result.ok) return { kind: "refused", isState: result.isState, detail: result.detail };
  const { entries } = result;
  return {
    ...{ kind: "allowed", entries },
    actor: {
      ...{ by: "operator", command: kind, reason },
      ...(name === undefined ? {} : { name }),
      ...(id === undefined ? {} : { commandId: id }),
      ...(hash === undefined ? {} : { commandHash: hash }),
      ...(expectedRev === undefined ? {} : { expectedRev }),
    },
  };
}

const hashOf = (command: Command, { crypto, text }: JudgePorts): string =>
  base32(crypto.sha256(text.encode(pack(command))).subarray(0, 16));
