/** Encrypts what must not be readable at rest. */
export interface Vault {
  /** `name` says what the secret belongs to; the same name is needed to open it. */
  seal(name: string, plain: string): Promise<string>;
  /** Throws when the value was sealed under another key or name, or was changed. */
  open(name: string, sealed: string): Promise<string>;
  /** A key for one purpose; of this vault alone, and another for each. */
  derive(purpose: string): Uint8Array;
  /** Tells one secret of `name` from another without saying anything about it. */
  fingerprint(name: string, secret: string): string;
}
