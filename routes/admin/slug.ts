/** Names in paths. */
import type * as z from "zod";
import { invalid } from "./operation.ts";

/** The parameter `name`, refused unless it is a name that may be given to something new. */
export function requireSlug(
  schema: z.ZodType<string>,
  params: Readonly<Record<string, string>>,
  name: string,
): string {
  const parsed = schema.safeParse(params[name]);
  if (parsed.success) return parsed.data;
  const detail = `The ${name} in the path: ${parsed.error.issues[0]?.message ?? "not a name"}.`;
  throw invalid([{ pointer: "", code: "invalid-slug", detail }]);
}
