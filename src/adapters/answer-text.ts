/** What others answer is read no further than it is kept. */
import { declaredBytes } from "../core/body-length.ts";

/** The first bytes of the answer as text; the rest is not read. */
export async function firstText(response: Response, bytesMax: number): Promise<string> {
  if (response.body === null) return "";
  // A compressed body may be any length once it is read.
  const isPlain = !response.headers.has("content-encoding");
  if (isPlain && declaredBytes(response.headers) <= bytesMax) return response.text();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let left = bytesMax; left > 0; ) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value.subarray(0, left), { stream: true });
    left -= value.length;
  }
  await reader.cancel().catch(() => {});
  return text + decoder.decode();
}
