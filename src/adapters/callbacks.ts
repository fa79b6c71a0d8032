/** Addresses for callbacks: signed with a key that is derived for nothing else. */
import { readAddress, signAddress } from "../core/saga/callback-address.ts";
import type { Callbacks } from "../ports/saga.ts";
import { platformCrypto, platformText } from "./crypto.ts";

const TOOLS = { crypto: platformCrypto, text: platformText };

/** The first key signs. */
export function createCallbacks(
  keys: readonly [Uint8Array, ...Uint8Array[]],
  publicUrl: string,
): Callbacks {
  return {
    urlOf: (address) => `${publicUrl}/callbacks/${signAddress(address, keys[0], TOOLS)}`,
    // What was handed out under an older key is still heard.
    read(signed) {
      for (const key of keys) {
        const address = readAddress(signed, key, TOOLS);
        if (address !== null) return address;
      }
      return null;
    },
  };
}
