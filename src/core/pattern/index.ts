/** The pattern language: what events meet. Explanations are for people, and imported from their own files. */
export type { PatternIssue, PatternIssueCode } from "./issues.ts";
export { matchesPattern } from "./match.ts";
export { type ParsedPattern, parsePattern } from "./parse.ts";
export type { Pattern } from "./pattern.ts";
export { type ChangingRuleSet, compileRules, type RuleSet } from "./rules.ts";
