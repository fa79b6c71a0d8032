/** The commands for those who measure and prove say how they are used. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../src/local/paths.ts";

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
