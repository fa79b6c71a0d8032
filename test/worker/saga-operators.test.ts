/** What operators do with sagas over HTTP: once under its id, never against each other, never unnamed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SAGA_OUTPUT_BYTES_MAX } from "../../src/core/limits.ts";
import { type Router, startRouter } from "../support/router.ts";
import { startOrder } from "../support/saga-shop.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

/** It waits for a person as long as the tests take. */
const APPROVED = {
  deadlineSeconds: 3_600,
  steps: [{ name: "big", approve: { timeoutSeconds: 3_600 } }],
};

describe("a command", () => {
  it("is carried out once under its id, and says who decided it, and why", async () => {
    const saga = await startOrder(router, "once", APPROVED);
    const body = { seconds: 60, commandId: "c-1", actor: "ann" };
    const first = await saga.command("extend-deadline", body);
    const again = await saga.command("extend-deadline", body);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect(first.body.journal.at(-1).actor).toEqual({
      ...{ by: "operator", name: "ann", command: "extend-deadline" },
      ...{ reason: "a test", commandId: "c-1" },
    });
    const another = await saga.command("pause", { commandId: "c-1" });
    expect(another).toMatchObject({ status: 409, body: { rev: first.body.rev } });
    expect(another.body.detail).toMatch(/"c-1" is that of another command/);
  });

  it("of two operators at once is carried out for one of them", async () => {
    const saga = await startOrder(router, "two", APPROVED);
    const { body } = await router.admin.get(saga.instance);
    const both = await Promise.all([
      saga.command("pause", { expectedRev: body.rev }),
      saga.command("abandon", { expectedRev: body.rev }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  });

  it("with a bad id, a bad name or an output too large is refused at its place", async () => {
    const saga = await startOrder(router, "bad", APPROVED);
    const pointersOf = async (body: object) => {
      const answer = await saga.command("override-step", { step: "big", output: 1, ...body });
      expect(answer.status).toBe(422);
      return answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
    };
    expect(await pointersOf({ commandId: "x".repeat(129) })).toEqual(["/commandId"]);
    expect(await pointersOf({ commandId: "", actor: "" })).toEqual(["/actor", "/commandId"]);
    expect(await pointersOf({ output: "x".repeat(SAGA_OUTPUT_BYTES_MAX) })).toEqual(["/output"]);
    expect((await saga.command("override-step", { step: "none", output: 1 })).status).toBe(422);
  });
});
