/** In which elements the event passed the tests that lead to a group. */
import type { EventNode } from "./event-node.ts";
import type { Group } from "./group.ts";
import { type Bits, intersection, type Level } from "./levels.ts";

/** For the group at hand: what its rules want of the same array has to stand in one of these elements. */
export class Reached {
  #group: Group | undefined;
  #level: Level | undefined;
  #elements: Bits | undefined;

  /** From now on for this group. */
  turnTo(group: Group): void {
    this.#group = group;
    this.#level = undefined;
  }

  /** Undefined when nothing was demanded of the arrays that the node's values stand in. */
  elementsFor(node: EventNode): Bits | undefined {
    // What stands further in stands in the same element of the level.
    if (!node.isInElements) return undefined;
    if (this.#level !== node.level) {
      this.#level = node.level;
      this.#elements = this.#elementsOf(node.level);
    }
    return this.#elements;
  }

  #elementsOf(level: Level): Bits | undefined {
    let elements: Bits | undefined;
    for (let group = this.#group; group !== undefined; group = group.home.place.within) {
      const { node } = group.home.place;
      if (group.candidate === undefined || node.level !== level || node.isMixed) continue;
      const passing = node.elementsPassing(group.candidate.test);
      elements = elements === undefined ? passing : intersection(elements, passing);
    }
    return elements;
  }
}
