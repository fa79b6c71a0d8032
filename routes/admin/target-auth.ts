/** What a target's receiver is shown to know who calls: validated, kept when it is left out, never shown. */
import * as z from "zod";
import { authHeaderName, type OpenAuth, secretMemberOf } from "../../src/core/deliver/auth.ts";
import { type AddressPolicy, PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import { formatPointer, isJsonObject, type Json } from "../../src/core/json.ts";
import type { Fault } from "../../src/core/problem.ts";
import type { StoredResource } from "../../src/ports/config.ts";
import { address, OwnHeaderName } from "./request-schemas.ts";

/** What a header may hold without losing some of it on its way. */
const Credential = z
  .string()
  .max(4_096)
  .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, "visible ASCII, with spaces only within");
/** RFC 7617, §2: control characters are not allowed in either. */
const isPrintable = (text: string): boolean => !/\p{Cc}/u.test(text);
const UNPRINTABLE = { error: "a control character is not allowed" };
const Username = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^:]*$/, "a user name has no colon")
  .refine(isPrintable, UNPRINTABLE);
const Password = z.string().min(1).max(1_024).refine(isPrintable, UNPRINTABLE);

const bearer = z.strictObject({ scheme: z.literal("bearer"), token: Credential });
const basic = z.strictObject({
  scheme: z.literal("basic"),
  username: Username,
  password: Password,
});
const apiKey = z.strictObject({
  scheme: z.literal("api-key"),
  header: OwnHeaderName,
  key: Credential,
});
/** RFC 6749, appendix A: what may be in them. */
const Visible = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^[\x20-\x7e]*$/, "only visible ASCII and spaces");
const oauth2 = (addresses: AddressPolicy) =>
  z.strictObject({
    scheme: z.literal("oauth2"),
    tokenUrl: address(addresses).meta({ format: "uri" }),
    clientId: Visible,
    clientSecret: Visible,
    scope: z
      .string()
      .max(1_024)
      .regex(
        /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
        "names with one space between them",
      )
      .optional(),
  });
const none = z.strictObject({ scheme: z.literal("none") });

export const authBody = (addresses: AddressPolicy) =>
  z
    .discriminatedUnion("scheme", [none, bearer, basic, apiKey, oauth2(addresses)])
    .describe("Left out, what was saved stays; so does its secret. It goes with `none`.");

export const ShownAuth = z
  .discriminatedUnion("scheme", [
    bearer.omit({ token: true }),
    basic.omit({ password: true }),
    apiKey.omit({ key: true }),
    oauth2(PUBLIC_ONLY).omit({ clientSecret: true }).extend({ tokenUrl: z.string() }),
  ])
  .describe("Its secret is never shown.");

/** `sent` with what it leaves out of `auth`, which cannot be read back. */
export function withKeptAuth(sent: Json, stored: StoredResource | null): Json {
  const secret = stored?.secrets?.auth;
  if (stored == null || secret === undefined || !isJsonObject(sent) || sent.kind !== "http") {
    return sent;
  }
  const before = (JSON.parse(stored.doc) as { auth: OpenAuth }).auth;
  const member = secretMemberOf(before.scheme) ?? "";
  const { auth = { ...before } } = sent;
  if (!isJsonObject(auth) || auth.scheme !== before.scheme) return sent;
  return { ...sent, auth: { [member]: secret, ...auth } };
}

/** `auth` sets a header that `headers`, or what is kept of them, sets as well. */
export function authFaults(
  { auth, headers }: { readonly [name: string]: Json },
  keptHeaders: Readonly<Record<string, string>>,
): Fault[] {
  if (!isJsonObject(auth ?? null) || secretMemberOf((auth as OpenAuth).scheme) === null) return [];
  const name = authHeaderName(auth as unknown as OpenAuth);
  const fault = (pointer: string, detail: string) => [{ pointer, code: "header-twice", detail }];
  if (headers === undefined) {
    if (!Object.hasOwn(keptHeaders, name)) return [];
    return fault("/auth", `A saved header "${name}" is kept: send "headers" without it.`);
  }
  if (!isJsonObject(headers)) return [];
  return Object.keys(headers)
    .filter((own) => own.toLowerCase() === name)
    .flatMap((own) => fault(`/headers${formatPointer([own])}`, '"auth" sets this header.'));
}
