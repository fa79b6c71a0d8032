/** The question that a receiver is asked before it is sent anything. */
import { describe, expect, it } from "vitest";
import { askPermission } from "../../src/flows/ask-permission.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemoryTransport, response } from "../support/memory-transport.ts";

const URL = "https://hooks.example.com/in";

describe("a receiver", () => {
  const clock = createFakeClock();
  const transport = createMemoryTransport(clock.nowMs);
  const ask = () => askPermission(URL, "router.example.com", { clock, transport });

  it("is asked by OPTIONS with this router's name and nothing else", async () => {
    transport.answer = () => ({
      ...response(200),
      headers: new Map([["webhook-allowed-origin", "router.example.com"]]),
    });
    expect(await ask()).toMatchObject({ kind: "permitted" });
    const [sent] = transport.sent;
    expect(sent).toMatchObject({ method: "OPTIONS", url: URL, body: new Uint8Array() });
    expect([...(sent?.headers ?? [])]).toEqual([["webhook-request-origin", "router.example.com"]]);
  });

  it("that refuses or does not answer has permitted nothing", async () => {
    transport.answer = () => response(405);
    expect(await ask()).toMatchObject({ kind: "refused" });
    transport.answer = () => ({ kind: "timeout" });
    expect(await ask()).toMatchObject({ kind: "unknown" });
  });
});
