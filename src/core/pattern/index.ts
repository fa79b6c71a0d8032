/** The pattern language: what the rest of the router uses of it. */
export { explainPattern, type LeafVerdict } from "./explain.ts";
export { type ExplainedRule, explainRule, nearestFirst } from "./explain-rules.ts";
export type { PatternIssue, PatternIssueCode } from "./issues.ts";
export { matchesPattern } from "./match.ts";
export { type ParsedPattern, parsePattern } from "./parse.ts";
export type { Pattern } from "./pattern.ts";
export { type ChangingRuleSet, compileRules, type RuleSet } from "./rules.ts";
