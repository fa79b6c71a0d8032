/** A job that seals secrets anew, in memory: resources by name, with the key that each is sealed under. */
import type { Reseal, ResealPage, Reseals } from "../../src/ports/encryption.ts";

/** Of a router that seals nothing anew. */
export const NO_RESEALS: Reseals = {
  running: async () => null,
  resealer: () => Promise.reject(new Error("nothing is to be sealed anew")),
};

export interface MemoryReseals extends Reseals {
  /** The key of each resource, by `tenant/kind/id`. */
  readonly sealed: Map<string, string>;
  looked: number;
  isDone: boolean;
}

const NEWEST = "newest";

/** One job over these; what is sealed under a key of no name stays as it is. */
export function createMemoryReseals(resources: Readonly<Record<string, string>>): MemoryReseals {
  const sealed = new Map(Object.entries(resources).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  let after: Reseal["after"] = null;
  const pageAfter = (from: Reseal["after"], count: number): ResealPage => {
    const left = [...sealed.keys()].filter((name) => from === null || name > from.join("/"));
    const names = left.slice(0, count);
    const renamed = new Map<string, Record<string, string>>();
    const locked: { resource: string; keyId: string }[] = [];
    let resealed = 0;
    for (const name of names) {
      const key = sealed.get(name) ?? "";
      if (key === "missing") locked.push({ resource: name, keyId: key });
      else {
        if (key !== NEWEST) resealed += 1;
        sealed.set(name, NEWEST);
        const [tenant = "", kind] = name.split("/");
        if (kind === "source") {
          renamed.set(tenant, { ...renamed.get(tenant), [`old ${name}`]: `new ${name}` });
        }
      }
    }
    const last = names.at(-1)?.split("/") as [string, string, string] | undefined;
    const isLast = left.length <= count || last === undefined;
    return { looked: names.length, resealed, after: isLast ? null : last, renamed, locked };
  };
  const reseals: MemoryReseals = {
    ...{ sealed, looked: 0, isDone: false },
    running: async () => (reseals.isDone ? null : { job: "job_1", after }),
    resealer: async () => ({
      page: async (from, count) => pageAfter(from, count),
      async note(_, page) {
        after = page.after;
        reseals.looked += page.looked;
        reseals.isDone = page.after === null;
      },
    }),
  };
  return reseals;
}
