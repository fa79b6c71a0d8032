/** Bugs to plant into the index, each of which a difference must give away. */
import type { PlantedBug } from "../../../simulation/planted.ts";

const INDEX = "src/core/pattern/rule-index";

const bug = (name: string, file: string, find: string, replace: string): PlantedBug => {
  return { name, edits: [{ file: `${INDEX}/${file}`, find, replace }] };
};

export const PLANTED: readonly PlantedBug[] = [
  bug(
    "a rule that is alone in its field is not tried",
    "rule-index.ts",
    "if (rule.isSingle || this.#matches(rule, event)) matching.push(rule);",
    "if (rule.isSingle && this.#matches(rule, event)) matching.push(rule);",
  ),
  bug(
    "values in elements add up",
    "rule-index.ts",
    "const inElement = nodes.some((node) => node.inElement);",
    "const inElement = nodes.length < 0;",
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
    "best = { fields: branches.flatMap(({ fields }) => fields), share };",
    "best = { fields: branches[0]?.fields ?? [], share };",
  ),
  bug(
    "an absence beside others is forgotten",
    "access.ts",
    "(all.choices[0] ?? []).flatMap(absencesToAwait)",
    "(all.choices[0] ?? []).slice(1).flatMap(absencesToAwait)",
  ),
  bug(
    "the second value is looked for among the first rules only",
    "placement.ts",
    "if (group.rules.length < GROUP_RULES_MIN) return undefined;",
    "if (group.rules.length > GROUP_RULES_MIN) return undefined;\n    if (passed.length > 1) return { fields: [], share: 0 };",
  ),
  bug(
    "a third value is not looked for",
    "rule-index.ts",
    "if (group.deeper === undefined) continue;",
    "if (group.deeper === undefined || group.home.place.within) continue;",
  ),
  bug(
    "a choice inside a branch is not waited for",
    "access.ts",
    "const branches = choice.map((branch) => cheapestAccess(branch, shareOf));",
    "const branches = choice.flatMap((branch) =>\n      branch.fields.length === 0 ? [] : [cheapestAccess({ ...branch, choices: [] }, shareOf)],\n    );",
  ),
];
