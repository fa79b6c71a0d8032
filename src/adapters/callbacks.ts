/** Addresses for callbacks: signed with a key that is derived for nothing else. */
import { readAddress, signAddress } from "../core/saga/callback.ts";
import type { Callbacks } from "../ports/saga.ts";
import type { Vault } from "../ports/vault.ts";
import { platformCrypto, platformText } from "./crypto.ts";

const TOOLS = { crypto: platformCrypto, text: platformText };

export function createCallbacks(vault: Vault, publicUrl: string): Callbacks {
  const key = vault.derive("saga callbacks");
  return {
    urlOf: (address) => `${publicUrl}/callbacks/${signAddress(address, key, TOOLS)}`,
    read: (signed) => readAddress(signed, key, TOOLS),
  };
}
