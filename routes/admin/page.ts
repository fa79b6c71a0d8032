/** Lists: their size, and where the next page goes on. A cursor says nothing to anybody but us. */
import * as z from "zod";
import type { Json } from "../../src/core/json.ts";
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from "../../src/core/limits.ts";
import type { ConfigStore } from "../../src/ports/config.ts";
import { requireTenant } from "./change.ts";
import { Refusal } from "./operation.ts";

export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
  cursor: z.string().max(512).optional(),
});

const Time = z.iso.datetime({ offset: true, error: "not an RFC 3339 time" });

/** `from` is included, `to` is not. */
export const TimeQuery = z.object({ from: Time.optional(), to: Time.optional() });

/** Later than any time that can be stored. */
const END_OF_TIME_MS = 8_640_000_000_000_000;

export const rangeOf = (query: { from?: string | undefined; to?: string | undefined }) => ({
  fromMs: query.from === undefined ? 0 : Date.parse(query.from),
  toMs: query.to === undefined ? END_OF_TIME_MS : Date.parse(query.to),
});

export const pageOf = (item: z.ZodType) =>
  z.object({
    items: z.array(item),
    cursor: z.string().nullable().describe("Asks for the next page; null on the last one."),
  });

export const pageBody = (items: readonly Json[], cursor: string | null) => ({
  items,
  cursor,
});

/** A page of what lies below a tenant and is sorted by its ids. */
export async function idPageOf<Item>(
  tenant: string,
  { limit, cursor }: z.infer<typeof PageQuery>,
  config: ConfigStore,
  read: (
    after: string | null,
    count: number,
  ) => Promise<{ readonly items: readonly Item[]; readonly after: string | null }>,
  view: (item: Item) => object,
) {
  await requireTenant(config, tenant);
  const from = decodeCursor(cursor, ["string"])?.[0];
  const page = await read(from === undefined ? null : String(from), limit);
  const next = encodeCursor(page.after === null ? null : [page.after]);
  return {
    status: 200,
    body: pageBody(
      page.items.map((each) => view(each) as Json),
      next,
    ),
  };
}

export const encodeCursor = (position: readonly (string | number)[] | null): string | null =>
  position === null
    ? null
    : btoa(JSON.stringify(position)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** The position a cursor stands for, of as many parts as `kinds` names. */
export function decodeCursor(
  cursor: string | undefined,
  kinds: readonly ("string" | "number")[],
): (string | number)[] | null {
  if (cursor === undefined) return null;
  try {
    const position = JSON.parse(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")));
    const fits =
      Array.isArray(position) &&
      position.length === kinds.length &&
      kinds.every((kind, at) => typeof position[at] === kind);
    if (fits) return position;
  } catch {
    // Falls through: told below like every other cursor that is not ours.
  }
  throw new Refusal({ slug: "malformed-request", detail: "This cursor was not given out here." });
}
