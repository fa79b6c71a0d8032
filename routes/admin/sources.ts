/** Sources: where webhooks come from and how they are verified. */
import type * as z from "zod";
import { isJsonObject, type Json } from "../../src/core/json.ts";
import { type SourceBody as StoredSourceBody, storeSource } from "../../src/core/resources.ts";
import { isoOrNull } from "./change.ts";
import { resourceOperations } from "./resource.ts";
import { ShownVerify, SourceBody, stored } from "./schemas.ts";

/** The member of `verify` that holds the secrets of each scheme that has some. */
const SECRET_MEMBER: Readonly<Record<string, string>> = { basic: "password", "api-key": "keys" };
const secretMemberOf = (scheme: string): string => SECRET_MEMBER[scheme] ?? "secrets";

/** How many characters of a secret's name are shown: enough to tell one from nine others. */
const LABEL_CHARACTERS = 8;

/** What is shown of a secret that was counted under `names`; nothing of its uses when nobody could say. */
function shownSecret(
  names: readonly string[],
  used: Readonly<Record<string, number>> | null,
): Json {
  const label = (names[0] ?? "").slice(0, LABEL_CHARACTERS);
  if (used === null) return { label };
  const lastUsedMs = Math.max(...names.map((name) => used[name] ?? 0));
  return { label, lastUsedAt: isoOrNull(lastUsedMs === 0 ? null : lastUsedMs) };
}

export const sourceOperations = resourceOperations<z.infer<typeof SourceBody>>({
  kind: "source",
  body: SourceBody,
  answer: stored({ ...SourceBody.shape, verify: ShownVerify }).meta({ id: "Source" }),
  refusals: { 503: "Others change it at the same time." },

  /** A PUT that leaves the secrets out and keeps the scheme keeps the secrets: they cannot be read back. */
  complete(sent, stored) {
    if (stored?.secrets == null || !isJsonObject(sent)) return sent;
    const { verify } = sent;
    const before = JSON.parse(stored.doc).verify;
    if (!isJsonObject(verify ?? null) || (verify as { scheme?: Json }).scheme !== before.scheme) {
      return sent;
    }
    const member = secretMemberOf(before.scheme);
    const { values } = stored.secrets;
    const kept: Json = member === "password" ? (values[0] ?? "") : values;
    return { ...sent, verify: { [member]: kept, ...(verify as Record<string, Json>) } };
  },

  async store({ body }) {
    const { doc, secrets } = storeSource(body as StoredSourceBody);
    return { doc: doc as unknown as Json, secrets };
  },

  async show(doc, { secrets, secretIds }, counted) {
    const verify = doc.verify as Record<string, Json>;
    if (secrets === null || secrets.values.length === 0) return doc;
    const used = await counted.secretsLastUsed();
    const shown = secretIds.map((names) => shownSecret(names, used));
    const member = secretMemberOf(String(verify.scheme));
    const held = member === "password" ? (shown[0] ?? null) : shown;
    return { ...doc, verify: { ...verify, [member]: held } };
  },
});
