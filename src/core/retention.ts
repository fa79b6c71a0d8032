/** How long the archive keeps what it has: rules of its bucket, by prefix. */
import { ARCHIVE_KINDS, POISON_PREFIX } from "./archive-keys.ts";
import { ARCHIVE_DAYS_DEFAULT, ARCHIVE_DAYS_MIN, POISON_DAYS_DEFAULT } from "./limits.ts";

export interface RetentionRule {
  /** Ours by its name: rules of other names are somebody else's and stay. */
  readonly name: string;
  readonly prefix: string;
  readonly days: number;
}

export type Retention =
  | { readonly ok: true; readonly rules: readonly RetentionRule[] }
  | { readonly ok: false; readonly fault: string };

/** The rules for `ARCHIVE_DAYS` and `POISON_DAYS` as wrangler.toml has them. */
export function retentionOf(vars: Readonly<Record<string, unknown>>): Retention {
  const archive = days(vars.ARCHIVE_DAYS ?? ARCHIVE_DAYS_DEFAULT);
  const poison = days(vars.POISON_DAYS ?? POISON_DAYS_DEFAULT);
  if (archive === null || archive < ARCHIVE_DAYS_MIN) {
    const why = "the ledger refers to an event's bytes for that long, and would owe what is gone";
    return {
      ok: false,
      fault: `ARCHIVE_DAYS is no whole number from ${ARCHIVE_DAYS_MIN}: ${why}.`,
    };
  }
  if (poison === null) return { ok: false, fault: "POISON_DAYS is no whole number from 1." };
  const ruleOf = (prefix: string, kept: number): RetentionRule => {
    return { name: `signalbox-${prefix.slice(0, -1)}`, prefix, days: kept };
  };
  const kinds = ARCHIVE_KINDS.map((kind) => ruleOf(`${kind}/`, archive));
  return { ok: true, rules: [...kinds, ruleOf(POISON_PREFIX, poison)] };
}

function days(value: unknown): number | null {
  return /^[1-9]\d{0,5}$/.test(String(value)) ? Number(value) : null;
}
