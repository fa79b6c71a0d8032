/** As much of TOML as wrangler.toml uses: tables, lists of tables, values that are JSON too. */

export type Table = Readonly<Record<string, unknown>>;

export interface Toml {
  readonly root: Table;
  /** The table of this name; empty if there is none. */
  table(name: string): Table;
  /** The tables of a list, in order. */
  tables(name: string): readonly Table[];
}

/** Throws on a line that it does not know, so that nothing is overlooked. */
export function readToml(text: string): Toml {
  const root: Record<string, unknown> = {};
  const lists = new Map<string, Record<string, unknown>[]>();
  let current = root;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, name] = /^\[\[?([\w.]+)\]\]?$/.exec(line) ?? [];
    const [, key, value] = /^"?([\w$]+)"? = (.+)$/.exec(line) ?? [];
    if (name !== undefined) {
      current = {};
      lists.set(name, [...(lists.get(name) ?? []), current]);
    } else if (key !== undefined && value !== undefined) {
      current[key] = JSON.parse(value);
    } else throw new Error(`wrangler.toml:${index + 1} is not understood`);
  }
  const tables = (name: string): readonly Table[] => lists.get(name) ?? [];
  return { root, tables, table: (name) => tables(name)[0] ?? {} };
}
