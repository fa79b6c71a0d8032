/** The part of a Content-Type that decides how a body is read. */

/** `type/subtype` in lower case, without parameters; empty when there is none. */
export function mediaType(contentType: string | null): string {
  return (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

const TOKEN = "[!#$%&'*+.^_`|~0-9a-z-]+";
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}$`);

/** Whether a text names a media type at all (RFC 2046, tokens as in RFC 9110 §5.6.2). */
export function isMediaType(contentType: string): boolean {
  return MEDIA_TYPE.test(mediaType(contentType));
}

/** A subtype of `json`, or one that ends in `+json` (CloudEvents JSON format §3.1.1). */
export function isJsonType(contentType: string | null): boolean {
  return /^[^/]+\/(.+\+)?json$/.test(mediaType(contentType));
}
