/**
 * The way out in the runtime: its own URL parser, its own fetch. Nothing that is refused or unknown is sent,
 * whoever asks for it; what names stand for comes from a resolver's own words.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { address } from "../../routes/admin/request-schemas.ts";
import { createResolver } from "../../src/adapters/dns-resolver.ts";
import { createTransport } from "../../src/adapters/http-transport.ts";
import { createMeter, systemClock } from "../../src/adapters/system.ts";
import { PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import { createAddressGuard } from "../../src/flows/guard-address.ts";
import { privateHost, urlAround } from "../support/private-addresses.ts";

const HOOK = "https://hooks.example.com/in";
const RESOLVER = "https://resolver.example.net/dns-query?ct=json";
const LITERALS = { ...PUBLIC_ONLY, allowLiterals: true };

type Records = Readonly<Record<"A" | "AAAA", readonly string[]>>;

/** Requests that left for targets, and for the resolver. */
let sent: Request[];
let lookups: URL[];
let answer: (url: URL) => Response | Promise<Response>;
let target: () => Response;

const dns = (records: Records, TTL = 0) => {
  const types = { A: 1, AAAA: 28 };
  return (url: URL): Response => {
    const type = url.searchParams.get("type") as keyof Records;
    const Answer = records[type].map((data) => ({ name: "n.", type: types[type], TTL, data }));
    return Response.json({ Status: 0, TC: false, Answer });
  };
};

beforeEach(() => {
  sent = [];
  lookups = [];
  answer = dns({ A: ["1.1.1.1"], AAAA: [] });
  target = () => new Response("ok");
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit);
    const url = new URL(request.url);
    if (url.hostname === new URL(RESOLVER).hostname) {
      lookups.push(url);
      return answer(url);
    }
    sent.push(request);
    return target();
  });
});
afterEach(() => void vi.restoreAllMocks());

const meter = createMeter();
const resolver = createResolver(RESOLVER, meter);
const direct = createTransport(createAddressGuard(LITERALS, null, systemClock), systemClock);
/** A guard that knows no name yet. */
const resolving = () =>
  createTransport(createAddressGuard(LITERALS, resolver, systemClock), systemClock);

const post = (url: string, transport = direct) =>
  transport.send({ url, headers: new Map(), body: new Uint8Array([1]), timeoutMs: 5_000 });

describe("a private address in any spelling", () => {
  it("is refused when it is saved and when it would be called, and nothing is sent", async () => {
    const saved = address(LITERALS);
    await fc.assert(
      fc.asyncProperty(urlAround(privateHost), async (url) => {
        expect(saved.safeParse(url).success, url).toBe(false);
        expect((await post(url)).kind, url).toBe("refused");
      }),
      { numRuns: 1_000 },
    );
    expect(sent).toEqual([]);
  });
});

describe("a name", () => {
  it("is asked for by both kinds of record, then called", async () => {
    expect(await post(HOOK, resolving())).toMatchObject({ kind: "response", status: 200 });
    expect(lookups.map(({ search }) => search)).toEqual([
      "?ct=json&name=hooks.example.com&type=A",
      "?ct=json&name=hooks.example.com&type=AAAA",
    ]);
    expect(sent.map(({ url }) => url)).toEqual([HOOK]);
  });

  it("is asked for once as long as its records hold: two lookups, however many attempts", async () => {
    answer = dns({ A: ["1.1.1.1"], AAAA: ["2606:4700::1"] }, 60);
    const before = meter.read().dns_lookups;
    const transport = resolving();
    for (let attempt = 0; attempt < 5; attempt += 1) await post(HOOK, transport);
    expect(sent).toHaveLength(5);
    expect(meter.read().dns_lookups - before).toBe(2);
  });

  it.each<[string, Records]>([
    ["an IPv4 address inside a network", { A: ["1.1.1.1", "10.0.0.1"], AAAA: [] }],
    ["an IPv6 address inside a network", { A: ["1.1.1.1"], AAAA: ["fd00::1"] }],
    ["an IPv4 address in IPv6", { A: [], AAAA: ["::ffff:169.254.169.254"] }],
  ])("that stands for %s is not called", async (_, records) => {
    answer = dns(records);
    expect(await post(HOOK, resolving())).toMatchObject({ kind: "refused" });
    expect(sent).toEqual([]);
  });

  it("that is bound anew between two attempts is not called a second time", async () => {
    const transport = resolving();
    await post(HOOK, transport);
    answer = dns({ A: ["127.0.0.1"], AAAA: [] });
    expect(await post(HOOK, transport)).toMatchObject({ kind: "refused" });
    expect(sent).toHaveLength(1);
  });

  it.each<[string, () => Response | Promise<Response>]>([
    ["cannot be reached", () => Promise.reject(new TypeError("connection refused"))],
    ["answers 500", () => new Response("{}", { status: 500 })],
    ["answers with a redirect", () => Response.redirect("https://other.example.net/", 302)],
    ["answers something that is no JSON", () => new Response("<html>")],
    ["answers that its server failed", () => Response.json({ Status: 2 })],
    [
      "answers more than anybody reads",
      () => new Response(`{"Status":0,"x":"${"x".repeat(70_000)}"}`),
    ],
  ])("is not called unchecked when its resolver %s: another attempt may", async (_, fails) => {
    answer = fails;
    const transport = resolving();
    expect(await post(HOOK, transport)).toMatchObject({
      kind: "network",
      detail: "its name could not be looked up",
    });
    expect(sent).toEqual([]);
    answer = dns({ A: ["1.1.1.1"], AAAA: [] });
    expect(await post(HOOK, transport)).toMatchObject({ kind: "response" });
  });

  it("without an address is not called, and may be another time", async () => {
    answer = () => Response.json({ Status: 3 });
    expect(await post(HOOK, resolving())).toEqual({
      kind: "network",
      detail: "the name has no address",
    });
    expect(sent).toEqual([]);
  });
});

describe("a request that is not sent", () => {
  it("lets go of the body that it would have read", async () => {
    const cancel = vi.fn();
    const stream = new ReadableStream<Uint8Array>({ cancel });
    const url = "https://10.0.0.1/";
    const body = { stream, bytes: 10 };
    await direct.send({ url, headers: new Map(), body, timeoutMs: 5_000 });
    expect(cancel).toHaveBeenCalledOnce();
  });
});

describe("a redirect", () => {
  it("is an answer like any other", async () => {
    target = () => Response.redirect("https://169.254.169.254/latest/meta-data/", 307);
    expect(await post(HOOK)).toMatchObject({ kind: "response", status: 307 });
    expect(sent.map(({ redirect }) => redirect)).toEqual(["manual"]);
  });
});
