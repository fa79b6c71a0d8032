/** What every request that a user describes is made of: where it goes, and headers of its own. */
import * as z from "zod";
import { type AddressPolicy, refusedAddress } from "../../src/core/deliver/target-url.ts";
import { HeaderName } from "./schemas.ts";

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
