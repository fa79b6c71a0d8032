/** The guard of every way out: what is written, what a name stands for, and what cannot be found out. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import {
  DNS_NAMES_MAX,
  DNS_TIMEOUT_MS,
  DNS_TTL_SECONDS_MAX,
} from "../../src/core/deliver/limits.ts";
import type { Resolved } from "../../src/core/deliver/resolution.ts";
import { type AddressPolicy, PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import { createAddressGuard } from "../../src/flows/guard-address.ts";
import type { AddressGuard } from "../../src/ports/guard.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import {
  plain,
  privateHost,
  privateV4,
  privateV6,
  urlAround,
} from "../support/private-addresses.ts";

const HOOK = "https://hooks.example.com/in";
const PUBLIC = ["1.1.1.1", "2606:4700:4700::1111"];
const ALLOWED = { kind: "allowed" };

let clock: FakeClock;
/** Which names were looked up, and what each is answered. */
let asked: string[];
let answer: (name: string) => Promise<Resolved>;

const found = (addresses: readonly string[], ttlSeconds = 30) =>
  Promise.resolve({ addresses, ttlSeconds });

beforeEach(() => {
  clock = createFakeClock();
  asked = [];
  answer = () => found(PUBLIC);
});

function guard(policy: Partial<AddressPolicy> = {}): AddressGuard {
  const resolve = (name: string): Promise<Resolved> => {
    asked.push(name);
    return answer(name);
  };
  return createAddressGuard({ ...PUBLIC_ONLY, ...policy }, { resolve }, clock);
}

describe("an address that is refused as it is written", () => {
  it("is refused in any spelling, and nobody is asked for it", async () => {
    const { check } = guard({ allowLiterals: true });
    await fc.assert(
      fc.asyncProperty(urlAround(privateHost), async (url) => {
        expect((await check(url)).kind, url).toBe("refused");
      }),
    );
    expect(asked).toEqual([]);
  });

  it("is one of the router's own", async () => {
    const { check } = guard({ ownHosts: ["router.example.com"] });
    expect(await check("https://router.example.com/in/acme/shop")).toMatchObject({
      kind: "refused",
    });
    expect(asked).toEqual([]);
  });
});

describe("a name", () => {
  it("is looked up as it is called: in lower case, without its final dot", async () => {
    expect(await guard().check("https://HOOKS.example.com./in")).toEqual(ALLOWED);
    expect(asked).toEqual(["hooks.example.com"]);
  });

  it("that stands for any private address is refused, whatever else it stands for", async () => {
    const privateOne = fc.oneof(
      privateV4.map((octets) => octets.join(".")),
      privateV6.map(plain),
      privateV4.map((octets) => `::ffff:${octets.join(".")}`),
    );
    await fc.assert(
      fc.asyncProperty(privateOne, fc.nat({ max: PUBLIC.length }), async (address, at) => {
        answer = () => found([...PUBLIC.slice(0, at), address, ...PUBLIC.slice(at)]);
        expect((await guard().check(HOOK)).kind, address).toBe("refused");
      }),
    );
  });

  it("that stands for something that is no address is refused", async () => {
    answer = () => found([...PUBLIC, "edge.example.net"]);
    expect(await guard().check(HOOK)).toMatchObject({ kind: "refused" });
  });

  it("that stands for nothing leads nowhere now, and is looked up again", async () => {
    const { check } = guard();
    answer = () => found([], 30);
    expect(await check(HOOK)).toEqual({
      kind: "unresolved",
      detail: "the name has no address",
    });
    answer = () => found(PUBLIC);
    expect(await check(HOOK)).toEqual(ALLOWED);
  });

  it("is refused at the attempt when it was public before and is private now", async () => {
    const { check } = guard();
    answer = () => found(PUBLIC, 0);
    expect(await check(HOOK)).toEqual(ALLOWED);
    answer = () => found(["127.0.0.1"], 0);
    expect(await check(HOOK)).toEqual({
      kind: "refused",
      detail: "the name stands for an address that is not public (loopback)",
    });
  });
});

describe("what was found out about a name", () => {
  it("holds for every path and port of it, for as long as its records say", async () => {
    const { check } = guard();
    answer = () => found(PUBLIC, 20);
    for (const url of [HOOK, "https://hooks.example.com:8443/other"]) await check(url);
    await clock.advance(19_999);
    await check(HOOK);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    await check(HOOK);
    expect(asked).toHaveLength(2);
  });

  it("holds for no longer than a minute, however long its records say", async () => {
    const { check } = guard();
    answer = () => found(PUBLIC, 1e9);
    await check(HOOK);
    answer = () => found(["10.0.0.1"], 1e9);
    await clock.advance(1_000 * DNS_TTL_SECONDS_MAX);
    expect(await check(HOOK)).toMatchObject({ kind: "refused" });
  });

  it("is forgotten when the clock was set back", async () => {
    let nowMs = 1_000_000;
    const resolve = (name: string): Promise<Resolved> => {
      asked.push(name);
      return found(PUBLIC);
    };
    const { check } = createAddressGuard(
      PUBLIC_ONLY,
      { resolve },
      { ...clock, nowMs: () => nowMs },
    );
    await check(HOOK);
    nowMs -= 1;
    await check(HOOK);
    expect(asked).toHaveLength(2);
  });

  it("is kept of so many names, the newest", async () => {
    const { check } = guard();
    const url = (at: number): string => `https://n${at}.example.com/`;
    for (let at = 0; at <= DNS_NAMES_MAX; at += 1) await check(url(at));
    asked = [];
    await check(url(DNS_NAMES_MAX));
    await check(url(1));
    expect(asked).toEqual([]);
    await check(url(0));
    expect(asked).toEqual(["n0.example.com"]);
  });
});

describe("a resolver", () => {
  const UNKNOWN = { kind: "unknown", detail: "its name could not be looked up" };

  it("that fails leaves the address unknown, and is asked again", async () => {
    const { check } = guard();
    answer = () => Promise.reject(new Error("SERVFAIL"));
    expect(await check(HOOK)).toEqual(UNKNOWN);
    answer = () => found(PUBLIC);
    expect(await check(HOOK)).toEqual(ALLOWED);
  });

  it("that hangs leaves the address unknown after its time", async () => {
    const { check } = guard();
    answer = () => new Promise(() => {});
    const startedAtMs = clock.nowMs();
    expect(await clock.run(check(HOOK))).toEqual(UNKNOWN);
    expect(clock.nowMs() - startedAtMs).toBe(DNS_TIMEOUT_MS);
    expect(clock.armed).toBe(0);
  });

  it("is not asked for public addresses that are allowed, nor in local development", async () => {
    expect(await guard({ allowLiterals: true }).check("https://1.1.1.1/")).toEqual(ALLOWED);
    expect(await guard({ allowPrivate: true }).check("http://localhost:9000/")).toEqual(ALLOWED);
    expect(asked).toEqual([]);
  });

  it("that is not configured leaves a public name to be called", async () => {
    const { check } = createAddressGuard(PUBLIC_ONLY, null, clock);
    expect(await check(HOOK)).toEqual(ALLOWED);
    expect(await check("https://10.0.0.1/")).toMatchObject({ kind: "refused" });
  });
});
