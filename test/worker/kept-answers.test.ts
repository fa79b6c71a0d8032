/** What a receiver answered is kept with the attempt: as text, and never more of it than 4 KB. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import type { Answer } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant } from "../support/tenant.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

async function keptOf(name: string, answer: Answer): Promise<unknown> {
  const receiver = await receiverHere(answer);
  const tenant = await prepareTenant(router, name, { receiver: { url: receiver.url } });
  const { id } = await tenant.send("receiver");
  const { attempts } = await tenant.delivery(id, "receiver", "delivered");
  return attempts[0]?.answer;
}

describe("an answer", () => {
  it("with its length declared is kept as it came", async () => {
    const answer: Answer = (_, response) => {
      const body = Buffer.from("merci, à bientôt");
      response.writeHead(200, { "content-length": body.length }).end(body);
    };
    expect(await keptOf("declared", answer)).toBe("merci, à bientôt");
  });

  it("that comes in chunks is kept whole, also where a chunk ends within a character", async () => {
    const bytes = Buffer.from("à bientôt");
    const answer: Answer = (_, response) => {
      response.write(bytes.subarray(0, 1), () => response.end(bytes.subarray(1)));
    };
    expect(await keptOf("chunks", answer)).toBe("à bientôt");
  });

  it("that comes in chunks and names a length that it does not keep is cut at 4 KB", async () => {
    const answer: Answer = (_, { socket }) => {
      const chunk = `${(30_000).toString(16)}\r\n${"x".repeat(30_000)}\r\n`;
      const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n";
      socket?.end(`${head}${chunk.repeat(100)}0\r\n\r\n`);
    };
    expect(await keptOf("two-lengths", answer)).toBe("x".repeat(4_096));
  });

  it("that is compressed and grows beyond 4 KB is cut there", async () => {
    const answer: Answer = (_, response) => {
      const body = gzipSync("x".repeat(1_000_000));
      const headers = { "content-encoding": "gzip", "content-length": body.length };
      response.writeHead(200, headers).end(body);
    };
    expect(await keptOf("compressed", answer)).toBe("x".repeat(4_096));
  });
});
