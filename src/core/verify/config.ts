/** What verification is told, and what it answers. */
import type { PresetScheme } from "./presets.ts";

/** The `verify` object of a source. Several secrets or keys are accepted at once, for rotation. */
export type VerifyConfig =
  | { readonly scheme: "none" }
  | {
      readonly scheme: PresetScheme;
      readonly secrets: readonly string[];
      /** Used by schemes that sign a timestamp; both into the past and into the future. */
      readonly toleranceSeconds?: number | undefined;
    }
  | {
      readonly scheme: "hmac";
      readonly header: string;
      readonly algorithm: "sha1" | "sha256" | "sha512";
      readonly encoding: "hex" | "base64";
      readonly prefix?: string | undefined;
      readonly secrets: readonly string[];
    }
  | { readonly scheme: "basic"; readonly username: string; readonly password: string }
  | { readonly scheme: "api-key"; readonly header: string; readonly keys: readonly string[] };

export interface SignedRequest {
  /** The value of a header, asked for in lower case; null when it is absent. */
  header(name: string): string | null;
  /** The bytes exactly as they were received. */
  readonly body: Uint8Array;
  readonly receivedAtMs: number;
}

export type Verdict =
  /** `secretIndex` says which of the secrets or keys it was; null when the source asks for none. */
  | { readonly ok: true; readonly secretIndex: number | null }
  | {
      readonly ok: false;
      readonly reason: "missing-header" | "timestamp-old" | "timestamp-new" | "no-match";
    };
