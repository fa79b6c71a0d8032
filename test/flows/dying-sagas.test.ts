/** The tests of sagas once more, over processes that die with every transaction. */
import { afterAll, beforeAll, describe } from "vitest";
import { life } from "./saga-instance.ts";

beforeAll(() => {
  life.dies = true;
});
afterAll(() => {
  life.dies = false;
});

describe("dying with every transaction:", async () => {
  await import("./advance-saga.test.ts");
  await import("./saga-guarantees.test.ts");
  await import("./order-saga.test.ts");
});
