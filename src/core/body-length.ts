/** How long a body is by what its headers say. */

/**
 * Where a body ends by its headers; NaN where they do not say. What comes in chunks ends with its last one, whatever
 * length is named beside (RFC 9112, §6.3).
 */
export function declaredBytes(headers: { get(name: string): string | null }): number {
  if (headers.get("transfer-encoding") !== null) return Number.NaN;
  return Number(headers.get("content-length") ?? Number.NaN);
}
