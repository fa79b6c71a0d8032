/** The registry of problems: whole, well formed, and what an answer may hold. */
import { describe, expect, it } from "vitest";
import { PROBLEMS, type ProblemSlug, problemBody } from "../../src/core/problem.ts";

const entries = Object.entries(PROBLEMS);
const BASE = "https://router.example";
const INSTANCE = "urn:uuid:1";

describe("the registry", () => {
  it.each(entries)("says of %s its status, title, meaning and remedy", (slug, problem) => {
    expect(slug).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(problem.status).toBeGreaterThanOrEqual(400);
    expect(problem.status).toBeLessThan(600);
    for (const text of [problem.title, problem.meaning, problem.remedy]) {
      expect(text).toMatch(/^\S.*\S$/);
    }
    expect(problem.title).not.toMatch(/[.]$/);
    expect(problem.meaning).toMatch(/[.]$/);
    expect(problem.remedy).toMatch(/[.]$/);
  });

  it("has a title of its own for each", () => {
    expect(new Set(entries.map(([, { title }]) => title)).size).toBe(entries.length);
  });

  it.each([
    ["malformed-request", 400],
    ["unauthenticated", 401],
    ["signature-invalid", 401],
    ["source-unknown", 404],
    ["too-many-rules", 409],
    ["precondition-failed", 412],
    ["payload-too-large", 413],
    ["unsupported-media-type", 415],
    ["validation-failed", 422],
    ["rate-limited", 429],
    ["internal", 500],
    ["unavailable", 503],
  ] as const)("answers %s with %i, as the contract says", (slug, status) => {
    expect(PROBLEMS[slug].status).toBe(status);
  });
});

describe("a problem's body", () => {
  it("names its type, title, status, detail and instance, and nothing that is not there", () => {
    expect(problemBody({ slug: "not-found", detail: "No route." }, BASE, INSTANCE)).toEqual({
      type: `${BASE}/problems/not-found`,
      title: PROBLEMS["not-found"].title,
      status: 404,
      detail: "No route.",
      instance: INSTANCE,
    });
  });

  it("carries every fault, the milliseconds to wait rounded up, and what the problem adds", () => {
    const errors = [{ pointer: "/a", code: "required", detail: "is missing" }];
    const slug: ProblemSlug = "rate-limited";
    const extensions = { scope: "tenant" };
    expect(
      problemBody({ slug, detail: "", retryAfterMs: 0.2, errors, extensions }, BASE, INSTANCE),
    ).toMatchObject({ retryAfterMs: 1, errors, scope: "tenant" });
  });

  it("does not tell which methods are allowed: that is a header", () => {
    const body = problemBody(
      { slug: "method-not-allowed", detail: "", allow: "POST" },
      BASE,
      INSTANCE,
    );
    expect(body).not.toHaveProperty("allow");
  });
});
