/** Addresses a target may have: URLs as people and attackers write them. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type AddressPolicy,
  PUBLIC_ONLY,
  refusedAddress,
  refusedResolution,
} from "../../../src/core/deliver/target-url.ts";

interface Vector {
  readonly url: string;
  /** Null when it may be called. */
  readonly why: string | null;
  /** The same where public IP addresses are allowed; left out where nothing differs. */
  readonly whyAmongLiterals?: string | null;
}

const file = new URL("../../vectors/addresses.ndjson", import.meta.url);
const vectors: readonly Vector[] = readFileSync(file, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

/** The router of the vectors. */
const STRICT: AddressPolicy = {
  ...PUBLIC_ONLY,
  ownHosts: ["router.example.com", "*.acme.workers.dev"],
};
const LITERALS: AddressPolicy = { ...STRICT, allowLiterals: true };
const LOCAL: AddressPolicy = {
  ...PUBLIC_ONLY,
  allowPrivate: true,
  ownHosts: ["127.0.0.1:8787"],
};

const refusalOf = (text: string, policy: AddressPolicy): string | null =>
  refusedAddress(URL.parse(text), policy);

describe("a target's address", () => {
  it("is told in 60 refused spellings at least", () => {
    expect(vectors.filter(({ why }) => why !== null).length).toBeGreaterThan(60);
    expect(vectors.filter(({ why }) => why === null).length).toBeGreaterThan(15);
  });

  it.each(vectors.filter(({ why }) => why === null))("may be $url", ({ url }) => {
    expect(refusalOf(url, STRICT)).toBeNull();
  });

  it.each(vectors.filter(({ why }) => why !== null))("may not be $url: $why", ({ url, why }) => {
    expect(refusalOf(url, STRICT)).toBe(why);
  });

  it("is judged alike where public IP addresses are allowed, but for those", () => {
    for (const { url, why, whyAmongLiterals = why } of vectors) {
      expect(refusalOf(url, LITERALS), url).toBe(whyAmongLiterals);
    }
  });

  it("has a port that was configured, and no other", () => {
    const policy = { ...PUBLIC_ONLY, ports: [9443] };
    expect(refusalOf("https://hooks.example.com:9443/", policy)).toBeNull();
    expect(refusalOf("https://hooks.example.com/", policy)).toBe("port 443 is none of 9443");
  });
});

describe("in local development", () => {
  it.each([
    "http://127.0.0.1:8080/",
    "http://localhost/",
    "https://[::1]/",
    "http://10.0.0.1/",
    "http://host.docker.internal/",
  ])("a target's address may be %s", (url) => {
    expect(refusalOf(url, LOCAL)).toBeNull();
  });

  it.each([
    ["ftp://127.0.0.1/", "only https can be called"],
    ["file:///etc/passwd", "only https can be called"],
    ["http://user:pass@127.0.0.1/", "credentials do not belong in a URL"],
    ["127.0.0.1:8080", "not an absolute URL"],
    ["http://127.0.0.1:8787/in/acme/shop", "the router calls itself here"],
    ["http://127.1:8787/", "the router calls itself here"],
  ])("a target's address may still not be %s", (url, why) => {
    expect(refusalOf(url, LOCAL)).toBe(why);
  });
});

describe("what a name stands for", () => {
  it.each(["1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])("may be %s", (text) => {
    expect(refusedResolution(text)).toBeNull();
  });

  it.each([
    ["10.0.0.1", "private"],
    ["169.254.169.254", "link-local"],
    ["::ffff:127.0.0.1", "loopback"],
    ["64:ff9b::a9fe:a9fe", "NAT64"],
    ["fd00:ec2::254", "unique local"],
  ])("may not be %s", (text, range) => {
    expect(refusedResolution(text)).toBe(
      `the name stands for an address that is not public (${range})`,
    );
  });

  it.each(["127.1", "2130706433", "0177.0.0.1", "fe80::1%eth0", "", "example.com"])(
    "may not be %j, which others read in another way",
    (text) => {
      expect(refusedResolution(text)).toBe("the name stands for something that is no address");
    },
  );
});
