/** Work that goes on behind the invocation that began it, as long as the platform lets it. */
export { waitUntil as defer } from "cloudflare:workers";
