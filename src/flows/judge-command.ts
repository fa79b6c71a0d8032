/** Whether a person's command is carried out now, was carried out before, or is refused. */
import type { Crypto, Text } from "../core/crypto.ts";
import { base32 } from "../core/ids.ts";
import { type Command, type Commanded, commanded } from "../core/saga/commands.ts";
import { type Entry, isEnded } from "../core/saga/instance.ts";
import { migration } from "../core/saga/migrate.ts";
import { pack } from "../core/saga/text.ts";
import type { Clock } from "../ports/clock.ts";
import type { Actor, CommandAnswer, MigrationOrder } from "../ports/saga.ts";
import type { Known, SagaRecord } from "./saga-record.ts";

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

export const judge = (
  record: SagaRecord,
  command: Command,
  expectedRev: number | undefined,
  ports: JudgePorts,
): Judged =>
  judgeAsked(record, command, expectedRev, ports, ({ instance }) =>
    commanded(instance, command, ports.clock.nowMs()),
  );

/** `inFlight`: requests under way, whose answers would count for the steps of before. */
export const judgeMigration = (
  record: SagaRecord,
  { doc, dryRun, ...order }: MigrationOrder,
  expectedRev: number | undefined,
  inFlight: number,
  ports: JudgePorts,
): Judged =>
  judgeAsked(record, { ...order, kind: "migrate" }, expectedRev, ports, ({ start, instance }) => {
    const refuse = (detail: string): Commanded => ({ ok: false, isState: true, detail });
    const { version } = order;
    if (isEnded(instance.status)) return refuse(`It is ${instance.status}: no step is left.`);
    if (version === start.version) return refuse(`It runs by version ${version} already.`);
    if (inFlight > 0)
      return refuse("A request is under way: pause it, and wait until `inFlight` is 0.");
    const { faults } = migration(instance, start.doc, doc);
    if (faults.length > 0) {
      const detail = `What has been reached is not as it was in version ${version}.`;
      return { ok: false, isState: true, detail, faults };
    }
    const was = instance.saga.steps.map(({ name }) => name);
    return { ok: true, entries: [{ kind: "migrate", version, doc, was }] };
  });

type Asked = Pick<Command, "id" | "actor" | "reason"> & {
  readonly kind: NonNullable<Actor["command"]>;
};

function judgeAsked(
  { known, rows, rev }: SagaRecord,
  asked: Asked,
  expectedRev: number | undefined,
  ports: JudgePorts,
  decide: (known: Known) => Commanded,
): Judged {
  if (known === null) return { kind: "unknown" };
  const { id, actor: name, kind, reason } = asked;
  const hash = id === undefined ? undefined : hashOf(asked, ports);
  const before = id === undefined ? undefined : rows.find(({ actor }) => actor.commandId === id);
  if (before !== undefined) {
    return before.actor.commandHash === hash
      ? { kind: "repeated" }
      : { kind: "id-taken", rev: before.rev };
  }
  if (expectedRev !== undefined && expectedRev !== rev) return { kind: "rev-differs", rev };
  const decided = decide(known);
  if (!decided.ok) {
    const { ok, ...why } = decided;
    return { kind: "refused", ...why };
  }
  const { entries } = decided;
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

const hashOf = (asked: Asked, { crypto, text }: JudgePorts): string =>
  base32(crypto.sha256(text.encode(pack(asked))).subarray(0, 16));
