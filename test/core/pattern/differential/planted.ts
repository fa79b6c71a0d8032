/** Bugs to plant into the index, each of which a difference must give away. */
import { bug as bugIn, type PlantedBug } from "../../../simulation/planted-bug.ts";

const INDEX = "src/core/pattern/rule-index";

const bug = (name: string, file: string, find: string, replace: string): PlantedBug =>
  bugIn(name, `${INDEX}/${file}`, find, replace);

export const PLANTED: readonly PlantedBug[] = [
  bug(
    "a rule that is alone in its field is not tried",
    "rule-index.ts",
    "&& choices.length === 0) return true;",
    "&& choices.length === 0) return false;",
  ),
  bug(
    "values in elements add up",
    "rule-index.ts",
    'return inElements ? holdTogether(fields, nodes) : "yes";',
    'return inElements && fields.length < 0 ? holdTogether(fields, nodes) : "yes";',
  ),
  bug(
    "choices are decided apart from each other",
    "rule-index.ts",
    "if (!everyChoiceHas(choices, mayHold)) return false;",
    "return everyChoiceHas(choices, mayHold);",
  ),
  bug(
    "what stands further in is thought to stand here",
    "join.ts",
    'return isMixed ? "maybe" : "yes";',
    'return "yes";',
  ),
  bug(
    "what may be absent is absent nowhere",
    "join.ts",
    "const free = unless === NONE ? 0 : ~(unless[word] ?? 0);",
    "const free = 0;",
  ),
  bug(
    "an element is chosen by what is absent in it",
    "join.ts",
    "if (parent.parent === undefined) return meet(holding, chosen);",
    "if (parent.parent === undefined) return meet(holding, holding);",
  ),
  bug(
    "two arrays at one place are one",
    "event-tree.ts",
    "if (level.parent === parent && level.parents.at(-1) !== element) return level;",
    "if (level.parent === parent) return level;",
  ),
  bug(
    "nobody says where the rules look",
    "event-tree.ts",
    "      node.telltales |= telltaleOf(step);\n",
    "      node.telltales = telltaleOf(step);\n",
  ),
  bug(
    "absences are not awaited",
    "rule-index.ts",
    "if (absence !== undefined && place.node.values.length === 0) this.pass(absence);",
    "if (absence !== undefined && place.node.values.length === -1) this.pass(absence);",
  ),
  bug(
    "an event finds what the one before it left",
    "rule-index.ts",
    "      this.#tree.forget();\n",
    "",
  ),
  bug(
    "rules that match are not in their order",
    "rule-index.ts",
    "(left, right) => left.rank - right.rank",
    "(left, right) => right.rank - left.rank",
  ),
  bug(
    "a key with dots is one step",
    "event-tree.ts",
    '?? (key.includes(".") ? follow(node, key) : undefined)',
    "",
  ),
  bug(
    "guards outlive the rules of their group",
    "group.ts",
    "if (this.rules.length === 0) this.guards = undefined;",
    "",
  ),
  bug(
    "a guard looks at the first value only",
    "guard.ts",
    "      if (test === undefined || passes(test, value)) return true;\n    }",
    "      return test === undefined || passes(test, value);\n    }",
  ),
  bug(
    "text of another end is let in",
    "guard.ts",
    ": value.charCodeAt(value.length - 1) === unit - AT_END;",
    ": value.charCodeAt(0) === unit - AT_END;",
  ),
  bug(
    "a branch of a choice needs no place of its own",
    "access.ts",
    "const waits = branches.flatMap((branch) =>",
    "const waits = branches.slice(0, 1).flatMap((branch) =>",
  ),
  bug(
    "an alternative without values is forgotten",
    "placement.ts",
    "return [...alternatives(root, () => true)].map((fields) => {",
    "return [...alternatives(root, ({ fields }) => fields.length > 1)].map((fields) => {",
  ),
  bug(
    "the second value is looked for among the first rules only",
    "placement.ts",
    "if (second) this.#addTo(this.#groupsWithin(group, second), rule, awaited);",
    "if (second) continue;",
  ),
  bug(
    "a third value is not looked for",
    "rule-index.ts",
    "if (group.deeper === undefined) continue;",
    "if (group.deeper === undefined || group.home.place.within) continue;",
  ),
  bug(
    "a choice inside a branch is forgotten",
    "access.ts",
    "choices: [...others, ...wait.choices],",
    "choices: others,",
  ),
];
