/** Encrypts what must not be readable at rest. */
export interface Vault {
  /** The id of the key that everything is sealed with now. */
  readonly keyId: string;
  /** Ids of the keys before it, which still open what they sealed. */
  readonly oldKeyIds: readonly string[];
  /** `name` says what the secret belongs to; the same name is needed to open it. */
  seal(name: string, plain: string): Promise<string>;
  /** Says why it cannot be opened, and never throws for what is sealed. */
  open(name: string, sealed: string): Promise<Opened>;
  /** Keys for one purpose, others for each: the present one, then those of the keys that only open. */
  derive(purpose: string): readonly [Uint8Array, ...Uint8Array[]];
  /** Tells one secret of `name` from another without saying anything about it. */
  fingerprint(name: string, secret: string): string;
  /** The same by every key, that of `fingerprint` first: what was told of it under an older one is found by them. */
  fingerprints(name: string, secret: string): readonly string[];
}

export type Opened =
  | { readonly ok: true; readonly plain: string }
  /** Its key is not among those that the router holds, and a person has to bring it; or it is DAMAGED. */
  | { readonly ok: false; readonly keyId: string };

/** In place of a key's id: what was changed, cut, or sealed under another name is opened by none. */
export const DAMAGED = "damaged";
