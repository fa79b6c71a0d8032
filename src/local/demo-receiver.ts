/** The demo's receivers: a server on 127.0.0.1 that hands over each request when it has come whole. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Heard {
  readonly path: string;
  readonly body: string;
  /** Empty where there is none of this name. */
  header(name: string): string;
  readonly headers: IncomingHttpHeaders;
}

export interface Said {
  readonly status: number;
  readonly body?: object;
}

export interface DemoReceiver {
  readonly origin: string;
  stop(): void;
}

export async function startDemoReceiver(answer: (heard: Heard) => Said): Promise<DemoReceiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url: path = "/", headers } = request;
      const header = (name: string): string => String(headers[name] ?? "");
      const said = answer({ path, headers, header, body: Buffer.concat(chunks).toString() });
      response.writeHead(said.status, { "content-type": "application/json" });
      response.end(JSON.stringify(said.body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
