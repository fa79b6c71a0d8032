/** The signature schemes of known senders, as data: one entry adds a sender. */

/** How an HMAC signature reaches us and what it covers. */
export interface SignatureFormat {
  /**
   * The headers it stands in. A sender with several sets of names is read by the first set whose
   * signature is present; names of two sets never mix, since only the set that is read is signed.
   */
  readonly headers: readonly SignatureHeaders[];
  readonly algorithm: "sha1" | "sha256" | "sha512";
  readonly encoding: "hex" | "base64";
  /** Between the items of the signature header, for senders that put several things there. */
  readonly separator?: string;
  /** How a signature of the one accepted version begins; other items are ignored. */
  readonly prefix: string;
  /** How the timestamp begins, for senders that put it into the signature header. */
  readonly timestampPrefix?: string;
  /** The signed bytes, in which `{id}`, `{timestamp}` and `{body}` stand for what was received. */
  readonly signed: string;
  /** The key is the secret's UTF-8, or what its base64 says behind an optional `whsec_`. */
  readonly secret: "text" | "base64";
}

export interface SignatureHeaders {
  readonly signature: string;
  readonly timestamp?: string;
  readonly id?: string;
}

/** Names are in lower case; the order of `headers` is the one the sender's own SDK looks in. */
export const presets = {
  /** docs.github.com/webhooks, "Validating webhook deliveries"; the SHA-1 header is never read. */
  github: {
    headers: [{ signature: "x-hub-signature-256" }],
    algorithm: "sha256",
    encoding: "hex",
    prefix: "sha256=",
    signed: "{body}",
    secret: "text",
  },
  /** docs.stripe.com/webhooks/signature; `v0` is for test mode and never accepted. */
  stripe: {
    headers: [{ signature: "stripe-signature" }],
    algorithm: "sha256",
    encoding: "hex",
    separator: ",",
    prefix: "v1=",
    timestampPrefix: "t=",
    signed: "{timestamp}.{body}",
    secret: "text",
  },
  /** Standard Webhooks 1.0.0, symmetric signatures; Svix sends the same under its own names. */
  "standard-webhooks": {
    headers: [
      { signature: "svix-signature", timestamp: "svix-timestamp", id: "svix-id" },
      { signature: "webhook-signature", timestamp: "webhook-timestamp", id: "webhook-id" },
    ],
    algorithm: "sha256",
    encoding: "base64",
    separator: " ",
    prefix: "v1,",
    signed: "{id}.{timestamp}.{body}",
    secret: "base64",
  },
  /** api.slack.com/authentication/verifying-requests-from-slack. */
  slack: {
    headers: [{ signature: "x-slack-signature", timestamp: "x-slack-request-timestamp" }],
    algorithm: "sha256",
    encoding: "hex",
    prefix: "v0=",
    signed: "v0:{timestamp}:{body}",
    secret: "text",
  },
  /** shopify.dev, "Verify webhook deliveries" and, without `x-`, "Verify Events deliveries". */
  shopify: {
    headers: [{ signature: "shopify-hmac-sha256" }, { signature: "x-shopify-hmac-sha256" }],
    algorithm: "sha256",
    encoding: "base64",
    prefix: "",
    signed: "{body}",
    secret: "text",
  },
} as const satisfies Record<string, SignatureFormat>;

export type PresetScheme = keyof typeof presets;

/** The set of header names a request's signature stands in, or null when it carries none. */
export function signatureHeaders(
  format: SignatureFormat,
  header: (name: string) => string | null,
): SignatureHeaders | null {
  return format.headers.find((names) => Boolean(header(names.signature))) ?? null;
}
