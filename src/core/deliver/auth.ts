/** How a receiver knows who calls: one header of every attempt, made of a secret that is never read back. */
import { encodeBase64 } from "../bytes.ts";
import type { Text } from "../crypto.ts";

export type TargetAuth =
  | { readonly scheme: "bearer"; readonly token: string }
  | { readonly scheme: "basic"; readonly username: string; readonly password: string }
  | { readonly scheme: "api-key"; readonly header: string; readonly key: string }
  | {
      readonly scheme: "oauth2";
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: string;
      readonly scope?: string | undefined;
    };

/** All of it but its secret. */
export interface OpenAuth {
  readonly scheme: TargetAuth["scheme"];
  readonly [member: string]: string;
}

/** The member that is sealed. */
const SECRET_MEMBERS: Readonly<Record<string, string>> = {
  bearer: "token",
  basic: "password",
  "api-key": "key",
  oauth2: "clientSecret",
} satisfies Record<TargetAuth["scheme"], string>;

/** Null for what is no scheme, or one without a secret. */
export const secretMemberOf = (scheme: unknown): string | null =>
  typeof scheme === "string" && Object.hasOwn(SECRET_MEMBERS, scheme)
    ? (SECRET_MEMBERS[scheme] ?? null)
    : null;

export function storeAuth(auth: TargetAuth): { readonly open: OpenAuth; readonly secret: string } {
  const member = SECRET_MEMBERS[auth.scheme];
  const members = Object.entries(auth).filter(([, value]) => value !== undefined);
  const open = Object.fromEntries(members.filter(([name]) => name !== member)) as OpenAuth;
  return { open, secret: String(members.find(([name]) => name === member)?.[1]) };
}

/** The opposite of `storeAuth`. */
export const authOf = (open: OpenAuth, secret: string): TargetAuth =>
  ({ ...open, [SECRET_MEMBERS[open.scheme] ?? ""]: secret }) as unknown as TargetAuth;

/** In lower case. */
export const authHeaderName = (auth: { readonly scheme: string; readonly header?: string }) =>
  auth.scheme === "api-key" ? (auth.header ?? "").toLowerCase() : "authorization";

/** What `authHeaderName` names holds this; a token is fetched first. */
export function authHeaderValue(
  auth: Exclude<TargetAuth, { scheme: "oauth2" }>,
  text: Text,
): string {
  switch (auth.scheme) {
    case "bearer":
      return `Bearer ${auth.token}`;
    case "basic":
      return `Basic ${encodeBase64(text.encode(`${auth.username}:${auth.password}`))}`;
    case "api-key":
      return auth.key;
  }
}
