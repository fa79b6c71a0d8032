/** Messages that nothing could read: they are kept for a person to look at, and to remove. */
import * as z from "zod";
import { poisonId, poisonKeyOf } from "../../src/core/archive-keys.ts";
import { iso } from "./change.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { Count, Time } from "./schemas.ts";

const PATH = "/admin/poison-messages";

const PoisonMessage = z.object({ id: z.string(), bytes: Count, reason: z.string(), keptAt: Time });

/** The key of the message that the path names; what names none reaches no object. */
function keyIn(params: Readonly<Record<string, string>>): string {
  const key = poisonKeyOf(params.message ?? "");
  if (key === null) throw notFound("message");
  return key;
}

export const poisonOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: PATH,
    summary: "Lists messages that nothing could read, the oldest day first.",
    query: PageQuery,
    responses: { 200: "A page of messages." },
    answer: pageOf(PoisonMessage),
    async handle({ stores, query }) {
      const at = decodeCursor(query.cursor, ["string"]);
      const page = await stores.archive.poison(at === null ? null : String(at[0]), query.limit);
      const items = page.items.map(({ key, bytes, reason, keptAtMs }) => {
        return { id: poisonId(key), bytes, reason, keptAt: iso(keptAtMs) };
      });
      const cursor = encodeCursor(page.next === null ? null : [page.next]);
      return { status: 200, body: pageBody(items, cursor) };
    },
  }),
  operation({
    method: "get",
    path: `${PATH}/{message}/body`,
    summary: "The bytes of a message that nothing could read.",
    responses: { 200: "The bytes.", 404: "No such message." },
    answer: "bytes",
    async handle({ stores, params }) {
      const bytes = await stores.archive.poisonBytes(keyIn(params));
      if (bytes === null) throw notFound("message");
      const body = new Uint8Array(bytes);
      return { status: 200, raw: { body, contentType: "application/octet-stream" } };
    },
  }),
  operation({
    method: "delete",
    path: `${PATH}/{message}`,
    summary: "Removes a message that nothing could read; one that is gone already as well.",
    versioned: false,
    responses: { 204: "Removed.", 404: "This is no message's id." },
    async handle({ stores, params }) {
      if (!(await stores.archive.removePoison(keyIn(params)))) throw notFound("message");
      return { status: 204 };
    },
  }),
];
