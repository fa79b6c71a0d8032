/** The short form of the simulation of sagas, and the bugs planted into them. */
import { describe, expect, it } from "vitest";
import { lostPlaces } from "./planted-bug.ts";
import { runSagaSeeds, SAGA_SEEDS_PER_BUG } from "./saga-main.ts";
import { PLANTED_IN_SAGAS } from "./saga-planted.ts";
import { runSaga } from "./saga-run.ts";

describe("sagas in bad weather", () => {
  it("end whole, undone or given up, and no effect comes twice", async () => {
    const report = await runSagaSeeds(1, 1_000);
    expect(report.violations).toEqual([]);
    expect(report.statuses["COMPENSATED"]).toBeGreaterThan(100);
    expect(report.stuck).toBeGreaterThan(20);
    expect(Math.min(report.deaths, report.commands)).toBeGreaterThan(100);
  }, 60_000);

  it("are the same for the same seed", async () => {
    expect(await runSaga(11)).toEqual(await runSaga(11));
    expect(await runSaga(12, true)).toEqual(await runSaga(12, true));
  }, 60_000);
});

describe("bugs planted into sagas", () => {
  it("are caught", async () => {
    const caught = await Promise.all(
      PLANTED_IN_SAGAS.map(async ({ name }) => {
        const { violations } = await runSagaSeeds(1, SAGA_SEEDS_PER_BUG, name);
        return violations.length > 0 ? [] : [name];
      }),
    );
    expect(caught.flat()).toEqual([]);
  }, 120_000);

  it("have their places in the source, each exactly once", () => {
    expect(lostPlaces(PLANTED_IN_SAGAS)).toEqual([]);
    expect(PLANTED_IN_SAGAS.length).toBeGreaterThanOrEqual(10);
  });
});
