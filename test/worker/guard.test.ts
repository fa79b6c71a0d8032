/** What the router may call, over HTTP: its own hosts, names that lead inside, redirects that would. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere, status } from "../support/answers.ts";
import { privateHost, urlAround } from "../support/private-addresses.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant } from "../support/tenant.ts";

/** What each name stands for, A records only; of others the resolver says that it failed. */
const names = new Map<string, string>();

let dns: Receiver;
let router: Router;

beforeAll(async () => {
  dns = await startReceiver(({ path }, response) => {
    const query = new URL(path, "http://127.0.0.1").searchParams;
    const data = names.get(query.get("name") ?? "");
    const Answer = query.get("type") === "A" ? [{ name: "n.", type: 1, TTL: 0, data }] : [];
    response.end(JSON.stringify(data === undefined ? { Status: 2 } : { Status: 0, Answer }));
  });
  const vars = {
    ALLOW_PRIVATE_TARGETS: "false",
    ALLOW_IP_TARGETS: "true",
    OWN_HOSTS: "router.example.com, *.acme.workers.dev",
    DNS_RESOLVER: `${dns.url}/dns-query`,
  };
  router = await startRouter({ vars });
  await router.admin.put("tenants/acme", {});
});
afterAll(async () => {
  await router?.stop();
  await dns?.stop();
});

const put = (url: string) =>
  router.admin.request("PUT", "tenants/acme/targets/probe", { kind: "http", url });
const faultOf = (code: string) => ({
  status: 422,
  body: { errors: [{ pointer: "/url", code }] },
});

describe("a target is not saved", () => {
  it("when its address is private, in any spelling, and nobody is asked for it", async () => {
    const asked = dns.received.length;
    await fc.assert(
      fc.asyncProperty(urlAround(privateHost), async (url) => {
        expect(await put(url), url).toMatchObject(faultOf("target-refused"));
      }),
    );
    expect(dns.received).toHaveLength(asked);
    expect((await router.admin.get("tenants/acme/targets/probe")).status).toBe(404);
  });

  it.each([
    "https://router.example.com/in/acme/shop",
    "https://ROUTER.example.com.:8443/",
    "https://old-signalbox.acme.workers.dev/",
  ])("when it is the router itself: %s", async (url) => {
    expect(await put(url)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/url", detail: "the router calls itself here" }] },
    });
  });

  it("when it has the port of another service", async () => {
    expect(await put("https://hooks.example.com:6379/")).toMatchObject(faultOf("target-refused"));
  });

  it("when its name leads inside", async () => {
    names.set("inside.example.com", "10.0.0.1");
    expect(await put("https://inside.example.com/in")).toMatchObject(faultOf("target-refused"));
  });

  it("when its resolver fails: it may be sent again", async () => {
    const answer = await put("https://unknown.example.com/in");
    expect(answer).toMatchObject({
      status: 503,
      body: { type: expect.stringMatching(/\/unavailable$/) },
    });
    expect(answer.headers.get("retry-after")).not.toBeNull();
    expect((await router.admin.get("tenants/acme/targets/probe")).status).toBe(404);
  });
});

describe("a name that was public when its target was saved and leads inside at the attempt", () => {
  it("is not called: its delivery dies and says why", async () => {
    names.set("rebound.example.com", "1.1.1.1");
    const url = "https://rebound.example.com/in";
    const tenant = await prepareTenant(router, "rebound", { probe: { url } });
    names.set("rebound.example.com", "127.0.0.1");
    const { id } = await tenant.send("probe");
    const delivery = await tenant.delivery(id, "probe", "dead");
    expect(delivery).toMatchObject({
      lastStatus: null,
      lastError: "refused: the name stands for an address that is not public (loopback)",
    });
  });

  it("is not called unchecked when the resolver fails: its delivery is tried again", async () => {
    names.set("gone.example.com", "1.1.1.1");
    const url = "https://gone.example.com/in";
    const retry = { delaysSeconds: [3_600] };
    const tenant = await prepareTenant(router, "gone", { probe: { url, retry } });
    names.delete("gone.example.com");
    const { id } = await tenant.send("probe");
    const delivery = await tenant.delivery(id, "probe", "retrying");
    expect(delivery.lastError).toBe("network: its name could not be looked up");
  });
});

describe("in local development", () => {
  let local: Router;
  beforeAll(async () => {
    local = await startRouter();
  });
  afterAll(() => local?.stop());

  it("a target is not the router itself", async () => {
    await local.admin.put("tenants/acme", {});
    const url = `${local.url}/in/acme/shop`;
    const answer = await local.admin.request("PUT", "tenants/acme/targets/loop", {
      kind: "http",
      url,
    });
    expect(answer).toMatchObject(faultOf("target-refused"));
  });

  it.each([301, 302, 303, 307, 308])(
    "a chain of redirects that begins with %i ends at its first answer",
    async (code) => {
      const inside = await receiverHere();
      const next = await receiverHere(status(307, { location: `${inside.url}/secret` }));
      const first = await receiverHere(status(code, { location: `${next.url}/next` }));
      const targets = { first: { url: first.url, retry: { delaysSeconds: [] } } };
      const tenant = await prepareTenant(local, `chain-${code}`, targets);
      const { id } = await tenant.send("first");
      const delivery = await tenant.delivery(id, "first", "dead");
      expect(delivery).toMatchObject({ lastStatus: code, attemptCount: 1 });
      expect(delivery.lastError).toMatch(/redirects are not followed/);
      expect([first, next, inside].map(({ received }) => received.length)).toEqual([1, 0, 0]);
    },
  );
});
