/** Lists of nodes: thousands of rules look at the same few places, in the same order. */
import type { Field } from "../pattern.ts";
import type { EventNode } from "./event-node.ts";

/** Kept for the next rule that looks at the same places. */
const LISTS_MAX = 1_000;

class NodeList {
  readonly nodes: readonly EventNode[];
  readonly #longer = new Map<EventNode, NodeList>();

  constructor(nodes: readonly EventNode[]) {
    this.nodes = nodes;
  }

  /** This list and one node more. */
  with(node: EventNode, made: () => void): NodeList {
    const known = this.#longer.get(node);
    if (known !== undefined) return known;
    const longer = new NodeList(this.nodes.concat(node));
    this.#longer.set(node, longer);
    made();
    return longer;
  }
}

export class NodeLists {
  #empty = new NodeList([]);
  #made = 0;

  /** The same list whenever the nodes are the same, as long as it is kept. */
  of(fields: readonly Field[], nodes: ReadonlyMap<string, EventNode>): readonly EventNode[] {
    if (this.#made >= LISTS_MAX) {
      this.#made = 0;
      this.#empty = new NodeList([]);
    }
    let list = this.#empty;
    for (const { path } of fields) {
      const node = nodes.get(path);
      if (node !== undefined) list = list.with(node, this.#count);
    }
    return list.nodes;
  }

  readonly #count = (): void => {
    this.#made += 1;
  };
}
