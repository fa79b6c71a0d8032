/** The Worker as this machine builds it: once for what it is made of, and whole. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, inject, it, onTestFinished } from "vitest";
import { buildWorker, digestOf } from "../../src/local/build.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "signalbox-build-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
});

const read = (name: string): string => readFileSync(join(directory, name), "utf8");
const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);

describe("a built Worker", () => {
  beforeEach(() => cpSync(inject("buildDirectory"), directory, { recursive: true }));

  it("is left as it is while nothing has changed that it is made of", async () => {
    write("index.js", "as it was");
    await buildWorker(directory);
    expect(read("index.js")).toBe("as it was");
  });

  it("is built anew where it was made of something else, or was not finished", async () => {
    const parts = ["index.js", "bound.json", "built-of"];
    const whole = parts.map(read);
    for (const part of parts) write(part, "something else");
    await buildWorker(directory);
    expect(parts.map(read)).toEqual(whole);
  });

  it("says what it is bound to, and keeps no variable or secret of this machine", () => {
    const bound = JSON.parse(read("bound.json"));
    expect(bound).toMatchObject({
      d1Databases: { DB: {} },
      durableObjects: { OUTBOX_SHARD: { className: "Outbox", useSQLite: true } },
    });
    expect(Object.keys(bound)).not.toContain("bindings");
    expect(read("bound.json")).not.toMatch(/ADMIN_TOKEN|ENCRYPTION_KEY/);
  });
});

describe("what a Worker is made of", () => {
  beforeEach(() => {
    for (const folder of ["consumers", "durable-objects", "routes", "src"]) {
      mkdirSync(join(directory, folder));
      write(`${folder}/a.ts`, folder);
    }
    for (const file of ["package-lock.json", "tsconfig.json", "wrangler.toml"]) write(file, file);
  });

  it.each([
    ["a source", () => write("src/a.ts", "changed")],
    ["a source more", () => write("routes/b.ts", "")],
    ["what is bound", () => write("wrangler.toml", "changed")],
    ["a dependency", () => write("package-lock.json", "changed")],
    [
      "what moves from one file to the next",
      () => {
        write("src/a.ts", "sr");
        write("src/b.ts", "c");
      },
    ],
  ])("is something else with %s", (_, change) => {
    const before = digestOf(directory);
    expect(digestOf(directory)).toBe(before);
    change();
    expect(digestOf(directory)).not.toBe(before);
  });

  it("is the same with what no Worker is made of", () => {
    const before = digestOf(directory);
    write("src/README.md", "changed");
    expect(digestOf(directory)).toBe(before);
  });
});
