/** What a name stands for. */
import type { Resolved } from "../core/deliver/resolution.ts";

export interface Resolver {
  /**
   * All IPv4 and IPv6 addresses of `name`, none if it has none. Rejects when the resolver cannot be
   * asked, or when one of its answers is not whole.
   */
  resolve(name: string): Promise<Resolved>;
}
