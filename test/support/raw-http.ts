/** Requests that no ordinary client sends: without a length, or with a head of any making. */
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

/** The status of the answer to a POST of `length` bytes in chunks, without Content-Length. */
export function postInChunks(url: string, length: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: "POST" }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
    for (let sent = 0; sent < length; sent += 50) {
      request.write("x".repeat(Math.min(50, length - sent)));
    }
    request.end();
  });
}

/** The status line of the answer to a POST with these header lines, or "closed" if none comes. */
export async function postRaw(url: string, headersAndBody: string): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(`POST ${pathname} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headersAndBody}`);
  // A server that has seen enough may close while the rest is still being written.
  const answer = await text(socket).catch(() => "");
  return answer.split("\r\n", 1)[0] || "closed";
}

/**
 * The statuses of POSTs of these bodies, of which every one is sent but for its last byte before any is
 * ended: so whoever reads them holds all of them at one moment. `inChunks` = without Content-Length.
 */
export async function postTogether(
  url: string,
  bodies: readonly { readonly bytes: Uint8Array; readonly inChunks: boolean }[],
): Promise<(number | undefined)[]> {
  const posts = bodies.map(({ bytes, inChunks }) => {
    const headers = inChunks ? {} : { "content-length": bytes.length };
    const request = httpRequest(url, { method: "POST", headers });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      request.on("error", reject);
      request.on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    const allButOne = new Promise<void>((resolve) => {
      request.write(bytes.subarray(0, -1), () => resolve());
    });
    return { allButOne, answered, end: () => request.end(bytes.subarray(-1)) };
  });
  await Promise.all(posts.map(({ allButOne }) => allButOne));
  for (const { end } of posts) end();
  return Promise.all(posts.map(({ answered }) => answered));
}
