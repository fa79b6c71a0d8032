/** The address at which the outcome of a step may come: signed for one attempt of it, so that none can be made up. */
import type { Crypto, Text } from "../crypto.ts";
import { base32 } from "../ids.ts";
import type { Direction } from "./instance.ts";

/** What a callback's address is signed for. */
export interface CallbackAddress {
  readonly id: string;
  /** The step's name. */
  readonly step: string;
  readonly direction: Direction;
  readonly epoch: number;
  /** Of the attempt. */
  readonly token: number;
  readonly expiresAtMs: number;
}

interface Tools {
  readonly crypto: Crypto;
  readonly text: Text;
}

/** Readable, and signed: `sga_….reserve.a.0.1.1767225600000.…`. */
export function signAddress(address: CallbackAddress, key: Uint8Array, tools: Tools): string {
  const { id, step, direction, epoch, token, expiresAtMs } = address;
  const plain = [id, step, direction === "action" ? "a" : "c", epoch, token, expiresAtMs].join(".");
  return `${plain}.${macOf(plain, key, tools)}`;
}

const ADDRESS = /^(.+)\.([\w-]+)\.([ac])\.(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/;

/** Null for one that was not signed with this key. */
export function readAddress(signed: string, key: Uint8Array, tools: Tools): CallbackAddress | null {
  const end = signed.lastIndexOf(".");
  const plain = signed.slice(0, Math.max(end, 0));
  const [, id = "", step = "", letter, epoch, token, expiresAtMs] = ADDRESS.exec(plain) ?? [];
  const { crypto, text } = tools;
  const mac = text.encode(macOf(plain, key, tools));
  if (!crypto.equal(text.encode(signed.slice(end + 1)), mac)) return null;
  return {
    ...{ id, step, direction: letter === "a" ? "action" : "undo", epoch: Number(epoch) },
    ...{ token: Number(token), expiresAtMs: Number(expiresAtMs) },
  };
}

const macOf = (plain: string, key: Uint8Array, { crypto, text }: Tools): string =>
  base32(crypto.hmac("sha256", key, text.encode(plain)));
