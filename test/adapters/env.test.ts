/** Variables of a deployment: what each may hold, and how a bad one is named. */
import { describe, expect, it } from "vitest";
import { encodeBase64 } from "../../src/core/bytes.ts";
import { parseConfig, parseGuardConfig } from "../../src/env.ts";

const KEY = encodeBase64(new Uint8Array(32).fill(1));

const faultsOf = (vars: Record<string, string>): readonly string[] => {
  const parsed = parseConfig({ ENCRYPTION_KEY: KEY, ...vars });
  return parsed.ok ? [] : parsed.faults;
};

describe("old keys", () => {
  it("are as many as there are, with commas between them", () => {
    const parsed = parseConfig({ ENCRYPTION_KEY: KEY, ENCRYPTION_KEYS_OLD: `${KEY}, ${KEY}` });
    expect(parsed).toMatchObject({ ok: true, config: { encryptionKeysOld: [KEY, KEY] } });
    expect(parseConfig({ ENCRYPTION_KEY: KEY })).toMatchObject({
      config: { encryptionKeysOld: [] },
    });
  });

  it("are refused by the variable's name, without their values, when one is no key", () => {
    const faults = faultsOf({ ENCRYPTION_KEYS_OLD: `${KEY},c2hvcnQ=` });
    expect(faults).toEqual([
      "ENCRYPTION_KEYS_OLD is not a list of keys of 32 bytes in base64 with commas between them",
    ]);
  });
});

describe("all that is bad", () => {
  it("is named at once, one line for each variable", () => {
    const vars = { ADMIN_TOKEN: 1, ENCRYPTION_KEY: "c2hvcnQ=", OUTBOX: "never", OUTBOX_SHARDS: 4 };
    expect(parseConfig(vars)).toEqual({
      ok: false,
      faults: [
        "ADMIN_TOKEN is no text",
        "ENCRYPTION_KEY is not 32 bytes in base64",
        'OUTBOX is neither "on-failure" nor "always"',
        "OUTBOX_SHARDS is no text",
      ],
    });
  });

  it("is at least the key, where nothing is set", () => {
    expect(parseConfig({})).toEqual({
      ok: false,
      faults: ["ENCRYPTION_KEY is missing: 32 random bytes in base64, as a secret"],
    });
  });
});

describe("what the guard is told", () => {
  it("is the strictest when nothing is", () => {
    expect(parseGuardConfig({})).toEqual({
      policy: { allowPrivate: false, allowLiterals: false, ports: [443, 8443], ownHosts: [] },
      dnsResolver: null,
    });
  });

  it("is read as it was written, whatever other variables hold", () => {
    const vars = {
      ENCRYPTION_KEY: "bad",
      ALLOW_IP_TARGETS: "true",
      TARGET_PORTS: "443, 9443",
      OWN_HOSTS: "hooks.example.com, *.acme.workers.dev,127.0.0.1:8787",
      DNS_RESOLVER: "https://dns.google/resolve",
    };
    expect(parseGuardConfig(vars)).toEqual({
      policy: {
        allowPrivate: false,
        allowLiterals: true,
        ports: [443, 9443],
        ownHosts: ["hooks.example.com", "*.acme.workers.dev", "127.0.0.1:8787"],
      },
      dnsResolver: "https://dns.google/resolve",
    });
  });

  it.each([
    ["ALLOW_PRIVATE_TARGETS", "yes"],
    ["ALLOW_IP_TARGETS", "1"],
    ["TARGET_PORTS", ","],
    ["TARGET_PORTS", "https"],
    ["TARGET_PORTS", "0"],
    ["TARGET_PORTS", "65536"],
    ["TARGET_PORTS", "443;8443"],
    ["OWN_HOSTS", "https://hooks.example.com"],
    ["OWN_HOSTS", "Hooks.example.com"],
    ["OWN_HOSTS", "hooks.*.com"],
    ["DNS_RESOLVER", "1.1.1.1"],
    ["DNS_RESOLVER", "http://resolver.example.com/"],
    ["DNS_RESOLVER", "http://127.0.0.1.example.com/"],
  ])("is refused by the variable's name, without its value: %s=%s", (name, value) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name} is `));
    expect(faults[0]).not.toContain(`${value} `);
    expect(parseGuardConfig({ [name]: value })).toBeNull();
  });

  it("may be a resolver on this machine", () => {
    expect(faultsOf({ DNS_RESOLVER: "http://127.0.0.1:8053/dns-query" })).toEqual([]);
  });
});
