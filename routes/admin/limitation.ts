/** What limits something right now, as it is shown. */
import * as z from "zod";
import { type Limitation as Found, LIMITERS } from "../../src/core/limitation.ts";
import { iso, isoOrNull } from "./change.ts";
import { Time } from "./schemas.ts";

export const Limitation = z
  .object({
    by: z.enum(LIMITERS),
    since: Time.describe(
      "Of a target that is paused, when it was last changed: it was paused then, or before. Of a queue that is delayed or narrowed, when anything of its control was last changed: it was so then, or before.",
    ),
    until: Time.nullable().describe("Null: until something is reported, or done by a person."),
    detail: z.string(),
  })
  .meta({ id: "Limitation" });

export const limitationView = ({
  by,
  sinceMs,
  untilMs,
  detail,
}: Found): z.infer<typeof Limitation> => ({
  by,
  ...{ since: iso(sinceMs), until: isoOrNull(untilMs), detail },
});
