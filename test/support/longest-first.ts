/** Files that mostly wait begin first, beside those that compute: at the end nothing is left to wait for. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const LONGEST = [
  "worker/delayed-retries.test.ts",
  "crash/crash.test.ts",
  "crash/fan-outs/crash.test.ts",
  "worker/restart.test.ts",
  "crash/sagas/crash.test.ts",
  "worker/counters.test.ts",
  "worker/demo.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`test/${name}`));
      return at === -1 ? LONGEST.length : at;
    };
    const usual = await super.sort(files);
    return usual.toSorted((left, right) => rank(left) - rank(right));
  }
}
