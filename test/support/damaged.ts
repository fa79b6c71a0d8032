/** The smallest forgery. */

/** The bytes of `body` with one bit of the byte at `at`, counted around the end, turned. */
export function damaged(body: string, at: number): Buffer {
  const bytes = Buffer.from(body);
  const place = at % bytes.length;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  return bytes;
}
