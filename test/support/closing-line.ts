/** Ends a run with one plain line, counted by the runner: `N passed, N failed`. */
import type { Reporter, TestModule } from "vitest/node";

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    // A file that does not load, or an error outside every test, is a failure too.
    let failed = errors.length + modules.filter((module) => module.errors().length > 0).length;
    let skipped = 0;
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failed += 1;
        else skipped += 1;
      }
    }
    const rest = skipped === 0 ? "" : `, ${skipped} skipped`;
    process.once("exit", () => console.log(`${passed} passed, ${failed} failed${rest}`));
  }
}
