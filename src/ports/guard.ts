/** Whether an address may be called: asked when it is saved, and before every attempt. */

export type AddressVerdict =
  | { readonly kind: "allowed" }
  | { readonly kind: "refused"; readonly detail: string }
  /** Its name leads nowhere now. */
  | { readonly kind: "unresolved"; readonly detail: string }
  /** It cannot be said now, so nothing may be sent; another time it can. */
  | { readonly kind: "unknown"; readonly detail: string };

export interface AddressGuard {
  /** Never rejects: what cannot be found out is a verdict too. */
  check(url: string): Promise<AddressVerdict>;
}
