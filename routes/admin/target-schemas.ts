/** The bodies of targets: where deliveries may go, what goes with them, and how often they are tried. */
import * as z from "zod";
import { signingKey } from "../../src/core/deliver/signature.ts";
import { type AddressPolicy, refusedAddress } from "../../src/core/deliver/target-url.ts";
import { ATTEMPT_TIMEOUT_MS_MAX, SECRETS_MAX } from "../../src/core/limits.ts";
import { HeaderName, HeaderValue, Secret, Slug } from "./schemas.ts";

export const Retry = z.union([
  z.strictObject({ delaysSeconds: z.array(z.number().min(0).max(604_800)).max(50) }),
  z.strictObject({
    maxAttempts: z.number().int().min(1).max(50),
    initialSeconds: z.number().min(0).max(86_400),
    factor: z.number().min(1).max(100),
    maxSeconds: z.number().min(0).max(604_800),
  }),
]);

/** Headers that the router or the connection sets. */
const RESERVED_HEADER =
  /^(host|content-length|content-type|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|traceparent|webhook-.*|signalbox-.*|ce-.*|cf-.*)$/;

/** Of what a user adds to a request. */
export const OwnHeaderName = HeaderName.refine(
  (name) => !RESERVED_HEADER.test(name.toLowerCase()),
  { error: "this header is set by the router or the connection" },
);

/** An address that requests may go to; `fixed` makes of a template what can be judged before it is filled in. */
export const address = (addresses: AddressPolicy, fixed = (text: string) => text) =>
  z
    .string()
    .max(2_048)
    .check((context) => {
      const text = fixed(context.value);
      const refused = refusedAddress(URL.canParse(text) ? new URL(text) : null, addresses);
      if (refused === null) return;
      context.issues.push({
        code: "custom",
        input: context.value,
        message: refused,
        params: { code: "target-refused" },
      });
    });

export const SagaTargetBody = z.strictObject({
  kind: z.literal("saga"),
  saga: Slug,
  retry: Retry.optional(),
  paused: z.boolean().optional(),
});

export const targetBody = (addresses: AddressPolicy) =>
  z.discriminatedUnion("kind", [httpTargetBody(addresses), SagaTargetBody]);

export const httpTargetBody = (addresses: AddressPolicy) =>
  z.strictObject({
    kind: z.literal("http"),
    url: address(addresses).meta({ format: "uri" }),
    handshake: z
      .literal("options")
      .optional()
      .describe("Nothing is sent until the receiver permits it (CloudEvents web hooks)."),
    headers: z.record(OwnHeaderName, HeaderValue).optional(),
    secrets: z
      .array(
        Secret.refine((secret) => signingKey(secret) !== null, {
          error: "not a Standard Webhooks secret: whsec_ and 24 to 64 bytes in base64",
        }),
      )
      .max(SECRETS_MAX)
      .optional(),
    timeoutMs: z.number().int().min(100).max(ATTEMPT_TIMEOUT_MS_MAX).optional(),
    retry: Retry.optional(),
    gate: z
      .strictObject({
        concurrency: z.number().int().min(1).max(1_000).optional(),
        perSecond: z.number().positive().max(100_000).optional(),
        perDay: z.number().int().min(1).max(1_000_000_000).optional().describe("By UTC day."),
        adaptive: z
          .boolean()
          .optional()
          .describe(
            "`concurrency` is the most that is tried; what the receiver takes is found out.",
          ),
      })
      .optional()
      .describe(
        "What the receiver can take. What is above it waits in the ledger, and goes out at its pace.",
      ),
    paused: z.boolean().optional(),
  });
