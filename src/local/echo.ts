/** The demo's receiver: answers 200 and prints what it was sent. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Echo {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startEcho(print: (line: string) => void): Promise<Echo> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const rule = request.headers["signalbox-rule"];
      const type = request.headers["ce-type"];
      const attempt = request.headers["signalbox-attempt"];
      const shown = body.length > 200 ? `${body.slice(0, 200)}…` : body;
      print(
        `delivered ${request.headers["webhook-id"]} rule=${rule} type=${type} attempt=${attempt}`,
      );
      print(`  ${shown}`);
      response.end("thanks");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
