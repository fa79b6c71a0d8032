/** The commands for those who measure and prove say how they are used; `npm start` goes on with what it finds. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { ROOT } from "../../src/local/paths.ts";
import { readOrCreateVars, startOptions } from "../../src/local/vars.ts";
import { problemOf } from "../support/problem.ts";
import { spawnProgram } from "../support/program.ts";
import { builtState } from "../support/state.ts";

function run(...words: string[]) {
  return spawnSync(process.execPath, [join(ROOT, "src/local/run.mjs"), ...words], {
    encoding: "utf8",
  });
}

const COMMANDS = ["bench", "sim", "match", "crash"];

describe.each(COMMANDS)("npm run %s", (command) => {
  it("tells how it is used", () => {
    const { status, stdout, stderr } = run(command, "--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^npm run ${command} -- `));
  });

  it("tells it too, and why, to whoever asks for what it does not know", () => {
    const { status, stdout, stderr } = run(command, "--nothing");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    const [why, how] = stderr.split("\n");
    expect(why).toContain("--nothing");
    expect(how).toMatch(new RegExp(`^npm run ${command} -- `));
  });
});

describe("a number that a command is given", () => {
  it.each([
    ["bench", "--rounds", "1"],
    ["bench", "--rounds", "many"],
    ["sim", "--seeds", "0"],
    ["match", "--cases", "1.5"],
    ["crash", "--kills", "-1"],
  ])("is refused when it is none it can go by: %s %s %s", (command, name, value) => {
    const { status, stderr } = run(command, `${name}=${value}`);
    expect(status).toBe(2);
    expect(stderr).toContain(`${name} is a whole number from `);
  });

  it("is not looked at in a part of the benchmarks that does not exist", () => {
    const { status, stderr } = run("bench", "everything");
    expect(status).toBe(2);
    expect(stderr).toContain('There is no part "everything".');
  });
});

describe("npm start", () => {
  function directoryHere(directory = mkdtempSync(join(tmpdir(), "signalbox-start-"))): string {
    onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
    return directory;
  }

  it("adds to .dev.vars what that does not define, and leaves all else in it as it is", () => {
    const file = join(directoryHere(), ".dev.vars");
    const made = readOrCreateVars(file);
    const { ADMIN_TOKEN, ...others } = made;
    expect(Object.keys(others).sort()).toEqual([
      ...["ALLOW_PRIVATE_TARGETS", "ENCRYPTION_KEY", "OUTBOX"],
    ]);
    expect(ADMIN_TOKEN?.length).toBeGreaterThanOrEqual(16);
    const before = readFileSync(file, "utf8");
    expect(readOrCreateVars(file)).toEqual(made);
    expect(readFileSync(file, "utf8")).toBe(before);

    const own = '# mine\nADMIN_TOKEN="own"\nOUTBOX=';
    writeFileSync(file, own);
    const vars = readOrCreateVars(file);
    expect(vars).toMatchObject({ ADMIN_TOKEN: "own", OUTBOX: "", ALLOW_PRIVATE_TARGETS: "true" });
    expect(Buffer.from(vars.ENCRYPTION_KEY ?? "", "base64")).toHaveLength(32);
    const text = readFileSync(file, "utf8");
    expect(text.startsWith(`${own}\n`)).toBe(true);
    expect(parseEnv(text)).toEqual(vars);
  });

  it("takes an empty setting for none, and names no address of which it does not know the port", () => {
    const PUBLIC_URL = "http://127.0.0.1:8787";
    const usual = { port: 8787, stateDirectory: ".wrangler/state", vars: { PUBLIC_URL } };
    expect(startOptions({})).toEqual(usual);
    expect(startOptions({ PORT: "", SIGNALBOX_STATE: "" })).toEqual(usual);
    expect(startOptions({ PORT: "0", SIGNALBOX_STATE: "s" })).toEqual({
      ...{ port: 0, stateDirectory: "s", vars: {} },
    });
    for (const PORT of ["none", "-1", "65536", "1.5"]) expect(startOptions({ PORT })).toBeNull();
  });

  it("serves webhooks with an admin token that is too short, and no demo tenant", async () => {
    const root = directoryHere();
    for (const part of ["consumers", "durable-objects", "migrations", "routes", "src"]) {
      cpSync(join(ROOT, part), join(root, part), { recursive: true });
    }
    for (const file of ["package.json", "package-lock.json", "tsconfig.json", "wrangler.toml"]) {
      cpSync(join(ROOT, file), join(root, file));
    }
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    writeFileSync(join(root, ".dev.vars"), "ADMIN_TOKEN=short\n");
    const starting = spawnProgram(directoryHere(builtState()), 0, root);
    onTestFinished(() => starting.kill());
    const { url, send } = await starting.ready();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const headers = { authorization: "Bearer short" };
    expect(await problemOf(fetch(`${url}/admin/tenants`, { headers }))).toMatchObject({
      status: 503,
      slug: "admin-closed",
    });
    expect(await problemOf(send("acme/open", { body: "{}" }))).toMatchObject({ status: 404 });
  });
});
