/** Plants a bug into the source as this process loads it. Nothing on disk changes. */
import { registerHooks } from "node:module";
import type { PlantedBug } from "./planted-bug.ts";

/**
 * From now on, modules are loaded with the bug of this name, if one is named: what is to have it is imported
 * afterwards. Throws on a name that no bug has, and on a place that is not there exactly once.
 */
export function plant(name: string | undefined, bugs: readonly PlantedBug[]): void {
  if (name === undefined) return;
  const found = bugs.find((bug) => bug.name === name);
  if (found === undefined) throw new Error(`no planted bug is called "${name}"`);
  const { edits } = found;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const own = edits.filter(({ file }) => url.endsWith(`/${file}`));
      if (own.length === 0) return loaded;
      const { source } = loaded;
      let text = typeof source === "string" ? source : Buffer.from(source as Uint8Array).toString();
      for (const { file, find, replace } of own) {
        const parts = text.split(find);
        if (parts.length !== 2) {
          throw new Error(`"${name}": its place is ${parts.length - 1} times in ${file}`);
        }
        text = parts.join(replace);
      }
      return { ...loaded, source: text };
    },
  });
}
