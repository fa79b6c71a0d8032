/** What one pattern may ask for: each cap keeps a single rule from becoming everybody's cost. */

/** Written compactly. EventBridge stops at 4,096; 256 fields with long paths need more. */
export const PATTERN_CHARACTERS_MAX = 16_384;
/** Objects and arrays inside each other; webhook payloads nest a tenth of this. */
export const PATTERN_DEPTH_MAX = 64;
/** Fields that hold at once in one alternative (the same as MAXIMUM_RULE_SIZE of event-ruler). */
export const PATTERN_FIELDS_MAX = 256;
/**
 * Alternatives that all `$or` together spell out: 451 characters can ask for 59,049 of them. A
 * thousand rules of so many are tried in under 5 ms, and kept in an isolate's memory. Of one field,
 * many values are one list of candidates.
 */
export const PATTERN_ALTERNATIVES_MAX = 32;
/** Every star is one more search through the rest of the text. */
export const WILDCARD_STARS_MAX = 32;
/** Of a regular expression; longer ones are better said in several candidates. */
export const REGEX_CHARACTERS_MAX = 1_000;
/** Of the automaton that is read from it, counted repetitions spelt out. */
export const REGEX_STATES_MAX = 2_000;
/** Of the table that a value is led through: 32 KB a rule at most. */
export const REGEX_CELLS_MAX = 16_384;
/** Looks at a state while it is made: some tens of milliseconds. */
export const REGEX_STEPS_MAX = 131_072;
/** Characters of a value that regular expressions are tried on: 1,000 of them take some milliseconds then. */
export const REGEX_TEXT_MAX = 2_048;
