/** Addresses inside a network: refused when a target is saved, and again when it would be called. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import { type Router, startRouter } from "../support/router.ts";
import { routerHere, stateHere } from "../support/router-here.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

const PUBLIC_ONLY = { ALLOW_PRIVATE_TARGETS: "false" };

let router: Router;

beforeAll(async () => {
  router = await startRouter({ vars: PUBLIC_ONLY });
  await router.admin.put("tenants/acme", {});
});
afterAll(() => router?.stop());

const put = (url: string) =>
  router.admin.request("PUT", "tenants/acme/targets/probe", { kind: "http", url });

describe("where targets must be public, an address", () => {
  it.each([
    ["of a cloud's metadata", "https://169.254.169.254/latest/meta-data/"],
    ["of a private network", "https://10.0.0.1/"],
    ["of a private network, 172", "https://172.16.0.1/"],
    ["of a private network, 192", "https://192.168.1.1:8443/"],
    ["of this machine", "https://127.0.0.1/"],
    ["of this machine in one number", "https://2130706433/"],
    ["of this machine in hexadecimal", "https://0x7f.1/"],
    ["of this machine in octal", "https://0177.0.0.1/"],
    ["of this machine in other digits", "https://①②⑦.⓪.⓪.①/"],
    ["of this machine, IPv6", "https://[::1]/"],
    ["of this machine, IPv4 in IPv6", "https://[::ffff:127.0.0.1]/"],
    ["of a private network, IPv6", "https://[fd00::1]/"],
    ["of a neighbour, IPv6", "https://[fe80::1]/"],
    ["of every machine", "https://0.0.0.0/"],
    ["named localhost", "https://localhost/"],
    ["named below localhost", "https://api.localhost/"],
    ["named localhost to the root", "https://localhost./"],
    ["named inside a network", "https://name.internal/"],
    ["named on a local link", "https://printer.local/"],
    ["without a dot", "https://intranet/"],
    ["that stands in a name", "https://127.0.0.1.nip.io/"],
    ["without TLS", "http://receiver.example.com/"],
    ["with a user", "https://user@receiver.example.com/"],
    ["of no network", "file:///etc/passwd"],
  ])("%s is refused: %s", async (_, url) => {
    expect(await put(url)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/url", code: "target-refused" }] },
    });
    expect((await router.admin.get("tenants/acme/targets/probe")).status).toBe(404);
  });

  it.each([
    "https://169.254.169.254/token",
    "https://127.0.0.1.nip.io/",
    "http://login.example.com/",
  ])("that tokens would be asked of is refused as well: %s", async (tokenUrl) => {
    const auth = { scheme: "oauth2", tokenUrl, clientId: "box", clientSecret: "s3cret" };
    const url = "https://hooks.signalbox.dev/in";
    const path = "tenants/acme/targets/probe";
    expect(await router.admin.request("PUT", path, { kind: "http", url, auth })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/auth/tokenUrl", code: "target-refused" }] },
    });
    expect((await router.admin.get(path)).status).toBe(404);
  });

  it("that is public is taken", async () => {
    expect((await put("https://hooks.signalbox.dev/in")).status).toBe(201);
    expect((await router.admin.request("DELETE", "tenants/acme/targets/probe")).status).toBe(204);
  });
});

describe("a target saved while private addresses were allowed", () => {
  it("is not called once they are not: its delivery dies and says why", async () => {
    const receiver = await receiverHere();
    const stateDirectory = stateHere();
    const lenient = await routerHere({ stateDirectory });
    const tenant = await prepareTenant(lenient, "acme", { inside: { url: receiver.url } });
    const { id } = await tenant.send("inside");
    await tenant.delivery(id, "inside", "delivered");
    await lenient.stop();

    const vars = { ...lenient.vars, ...PUBLIC_ONLY };
    const strict = await routerHere({ stateDirectory, vars });
    const body = '{"to":["inside"],"after":"restart"}';
    expect((await strict.send("acme/open", { body })).status).toBe(202);
    const dead = await eventually(
      () => strict.admin.get(`${tenant.path}/deliveries?state=dead`),
      ({ body }) => body.items.length > 0,
    );
    expect(dead.body.items).toMatchObject([
      { target: "inside", lastStatus: null, lastError: expect.stringMatching(/^refused: /) },
    ]);
    expect(receiver.received).toHaveLength(1);
  });
});
