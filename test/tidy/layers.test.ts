/** Who may import whom: core ← ports ← flows ← doors, adapters beside them. */
import { describe, expect, it } from "vitest";
import { filesIn, type Import, reachedFrom, type SourceFile, WORKER_FOLDERS } from "./tree.ts";

interface Layer {
  /** A file, or a folder with a slash at its end. */
  readonly path: string;
  /** Files or folders of ours, and packages by name; those in `types` as `import type` only. */
  readonly may: readonly string[];
  readonly types?: readonly string[];
}

const CORE = "src/core/";
const PORTS = "src/ports/";
const FLOWS = "src/flows/";
const ADAPTERS = "src/adapters/";

/** The first layer whose path a file begins with is its own. */
const LAYERS: readonly Layer[] = [
  { path: CORE, may: [CORE] },
  { path: PORTS, may: [CORE, PORTS] },
  { path: FLOWS, may: [CORE, PORTS, FLOWS] },
  { path: "src/adapters/d1/drizzle.config.ts", may: ["drizzle-kit"] },
  { path: "src/adapters/d1/", may: [CORE, PORTS, ADAPTERS, "drizzle-orm"] },
  { path: ADAPTERS, may: [CORE, PORTS, ADAPTERS, "node:crypto", "cloudflare:workers"] },
  {
    path: "routes/admin/",
    may: [CORE, PORTS, FLOWS, "routes/admin/", "routes/problems.ts", "routes/ingest.ts", "zod"],
    types: ["src/compose.ts", "hono"],
  },
  {
    path: "routes/",
    may: [CORE, PORTS, FLOWS, "routes/problems.ts", "routes/ingest.ts", "hono"],
    types: ["src/compose.ts"],
  },
  { path: "consumers/", may: [CORE, PORTS, FLOWS, "consumers/"] },
  {
    path: "durable-objects/",
    may: [CORE, PORTS, FLOWS, "durable-objects/", "src/compose.ts", "cloudflare:workers"],
    types: ["src/env.ts"],
  },
  { path: "src/compose.ts", may: [CORE, PORTS, FLOWS, ADAPTERS, "src/env.ts"] },
  { path: "src/env.ts", may: [CORE], types: [ADAPTERS] },
  {
    path: "src/app.ts",
    may: [CORE, PORTS, FLOWS, "routes/", "src/compose.ts", "hono"],
    types: ["src/env.ts"],
  },
  {
    path: "src/index.ts",
    may: [FLOWS, "consumers/", "durable-objects/", "src/app.ts", "src/compose.ts"],
    types: ["src/env.ts"],
  },
  {
    path: "src/local/",
    may: [CORE, FLOWS, "src/local/", "src/env.ts", "node:", "miniflare", "wrangler"],
  },
];

/** The demo signs as a sender does, with the SDK that senders use. */
const EXCEPTIONS: readonly string[] = ["src/local/demo-webhooks.ts standardwebhooks"];

const files = filesIn(...WORKER_FOLDERS);

const covers = (allowed: string, { from, isOurs }: Import): boolean =>
  isOurs || allowed.endsWith(":")
    ? from === allowed || (/[/:]$/.test(allowed) && from.startsWith(allowed))
    : from === allowed || from.startsWith(`${allowed}/`);

function offencesOf(file: SourceFile): string[] {
  const layer = LAYERS.find(({ path }) => file.path.startsWith(path));
  if (layer === undefined) return [`${file.path} lies outside every layer`];
  return file.imports
    .filter((each) => {
      const allowed = each.kind === "type" ? [...layer.may, ...(layer.types ?? [])] : layer.may;
      return !allowed.some((name) => covers(name, each));
    })
    .map(({ from }) => `${file.path} ${from}`)
    .filter((offence) => !EXCEPTIONS.includes(offence));
}

/**
 * A path that comes back to where it began; types make none, since they are gone when code runs.
 */
function cycleIn(tree: readonly SourceFile[]): string[] | null {
  const byPath = new Map(tree.map((file) => [file.path, file]));
  const done = new Set<string>();
  function walk(path: string, trail: readonly string[]): string[] | null {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const { from, kind } of byPath.get(path)?.imports ?? []) {
      const cycle = kind === "value" ? walk(from, [...trail, path]) : null;
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  }
  for (const { path } of tree) {
    const cycle = walk(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

const planted = (path: string, ...imports: Import[]): SourceFile => ({
  ...{ path, text: "", lines: [], code: "" },
  imports,
});
const value = (from: string, isOurs = true): Import => ({ from, kind: "value", isOurs });

describe("layers", () => {
  it("keep to what each may import", () => {
    expect(files.flatMap(offencesOf)).toEqual([]);
  });

  it("each have files, so that none is checked in vain", () => {
    for (const { path } of LAYERS) {
      expect([path, files.some((file) => file.path.startsWith(path))]).toEqual([path, true]);
    }
  });

  it("make a circle nowhere, neither in the Worker nor in the tests", () => {
    expect(cycleIn([...files, ...filesIn("test")])).toBeNull();
  });

  it("import no file that is not there", () => {
    const all = new Set([...files, ...filesIn("test", "bench")].map(({ path }) => path));
    const missing = files
      .flatMap(({ imports }) => imports)
      .filter(({ from, isOurs }) => isOurs && !all.has(from) && !from.endsWith(".d.ts"));
    expect(missing).toEqual([]);
  });
});

describe("the Worker", () => {
  const worker = reachedFrom(["src/index.ts"], files, ["value", "type", "dynamic"]);
  const atStart = reachedFrom(["src/index.ts"], files, ["value"]);

  it("reaches nothing that runs only on this machine, nor drizzle", () => {
    expect(worker.size).toBeGreaterThan(60);
    const elsewhere = /^(src\/local\/|drizzle-|src\/adapters\/d1\/schema)/;
    expect([...worker].filter((path) => elsewhere.test(path))).toEqual([]);
  });

  it("does not load the admin half before it is used", () => {
    expect(atStart.size).toBeGreaterThan(40);
    const late = /^(routes\/admin|zod|src\/adapters\/d1\/(admin|config|history|redrive))/;
    expect([...atStart].filter((path) => late.test(path))).toEqual([]);
    expect(worker).toContain("routes/admin/index.ts");
  });

  it("is imported by nobody", () => {
    const importers = [...files, ...filesIn("test")].filter(({ imports }) =>
      imports.some(({ from }) => from === "src/index.ts"),
    );
    expect(importers.map(({ path }) => path)).toEqual([]);
  });

  it("calls targets from one place, and a resolver of names from another", () => {
    const callers = files.filter(
      ({ path, code }) => !path.startsWith("src/local/") && /(?<![.\w])fetch\(/.test(code),
    );
    const [resolver, transport] = [
      "src/adapters/dns-resolver.ts",
      "src/adapters/http-transport.ts",
    ];
    expect(callers.map(({ path }) => path)).toEqual([resolver, transport]);
  });
});

describe("the check itself", () => {
  it.each([
    planted("src/core/a.ts", value("src/ports/clock.ts")),
    planted("src/core/a.ts", value("zod", false)),
    planted("src/core/a.ts", value("node:crypto", false)),
    planted("src/ports/a.ts", value("src/flows/admit.ts")),
    planted("src/flows/a.ts", value("src/adapters/crypto.ts")),
    planted("src/flows/a.ts", value("hono", false)),
    planted("src/adapters/a.ts", value("src/flows/admit.ts")),
    planted("src/adapters/a.ts", value("drizzle-orm", false)),
    planted("src/adapters/a.ts", value("durable-objects/outbox.ts")),
    planted("routes/a.ts", value("src/compose.ts")),
    planted("routes/a.ts", value("consumers/index.ts")),
    planted("routes/a.ts", value("routes/admin/index.ts")),
    planted("consumers/a.ts", value("routes/problems.ts")),
    planted("durable-objects/a.ts", value("src/adapters/queues.ts")),
    planted("src/env.ts", value("src/adapters/outbox.ts")),
    planted("src/app.ts", value("src/local/engine.ts")),
    planted("src/new.ts"),
    planted("src/local/other.ts", value("standardwebhooks", false)),
  ])("refuses %j", (file) => {
    expect(offencesOf(file)).toHaveLength(1);
  });

  it("finds a circle", () => {
    const circle = [
      planted("a.ts", value("b.ts")),
      planted("b.ts", value("c.ts")),
      planted("c.ts", value("b.ts")),
    ];
    expect(cycleIn(circle)).toEqual(["b.ts", "c.ts", "b.ts"]);
  });
});
