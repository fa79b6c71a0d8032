/** OAuth 2.0 client credentials (RFC 6749, §4.4): the request for a token, and what its answer means. */
import { encodeBase64 } from "../bytes.ts";
import type { Text } from "../crypto.ts";
import type { TargetAuth } from "./auth.ts";
import { TOKEN_MARGIN_SECONDS, TOKEN_SECONDS_DEFAULT, TOKEN_SECONDS_MAX } from "./limits.ts";
import type { Answer } from "./outcome.ts";
import { describe } from "./outcome.ts";

export type ClientCredentials = Extract<TargetAuth, { scheme: "oauth2" }>;

export type TokenAnswer =
  | { readonly kind: "token"; readonly token: string; readonly usableMs: number }
  /** `isFinal`: the address may not be called at all. */
  | { readonly kind: "failed"; readonly detail: string; readonly isFinal: boolean };

/** §5.2; whatever else an endpoint says is not repeated, because it may repeat what it was sent. */
const ERRORS = new Set([
  ...["invalid_request", "invalid_client", "invalid_grant"],
  ...["unauthorized_client", "unsupported_grant_type", "invalid_scope"],
]);
const TOKEN = /^[\x21-\x7e]+$/;

export function tokenRequest({ clientId, clientSecret, scope }: ClientCredentials, text: Text) {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
  const form = `grant_type=client_credentials${scope === undefined ? "" : `&scope=${encodeURIComponent(scope)}`}`;
  return {
    headers: new Map([
      ["authorization", `Basic ${encodeBase64(text.encode(pair))}`],
      ["content-type", "application/x-www-form-urlencoded"],
      ["accept", "application/json"],
    ]),
    body: text.encode(form),
  };
}

export function tokenAnswer(answer: Answer): TokenAnswer {
  const failed = (detail: string): TokenAnswer => {
    const isFinal = answer.kind === "refused";
    return { kind: "failed", detail: `no token: ${detail}`, isFinal };
  };
  if (answer.kind !== "response") return failed(describe(answer));
  const members = membersOf(answer.body);
  if (answer.status !== 200) {
    const { error } = members;
    const why = typeof error === "string" && ERRORS.has(error) ? `, ${error}` : "";
    return failed(`the token endpoint answered ${answer.status}${why}`);
  }
  const { access_token: token, token_type: type, expires_in: seconds } = members;
  if (typeof token !== "string" || !TOKEN.test(token)) {
    return failed("the token endpoint's answer holds no access_token");
  }
  if (typeof type !== "string" || type.toLowerCase() !== "bearer") {
    return failed("the token endpoint's token is no bearer token");
  }
  return { kind: "token", token, usableMs: 1_000 * usableSeconds(seconds) };
}

/** Until shortly before its end, and for half its life if that is short. Null and "" are no end that was given. */
function usableSeconds(given: unknown): number {
  const known = given === null || given === "" ? Number.NaN : Number(given);
  const seconds = Number.isFinite(known) ? Math.max(0, known) : TOKEN_SECONDS_DEFAULT;
  const life = Math.min(seconds, TOKEN_SECONDS_MAX);
  return Math.max(life / 2, life - TOKEN_MARGIN_SECONDS);
}

function membersOf(body: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body));
  } catch {
    return {};
  }
}
