/** What one pattern may ask for: each cap keeps a single rule from becoming everybody's cost. */

/** Written compactly. EventBridge stops at 4,096; 256 fields with long paths need more. */
export const PATTERN_CHARACTERS_MAX = 16_384;
/** Objects and arrays inside each other; webhook payloads nest a tenth of this. */
export const PATTERN_DEPTH_MAX = 64;
/** Fields that hold at once in one alternative (the same as MAXIMUM_RULE_SIZE of event-ruler). */
export const PATTERN_FIELDS_MAX = 256;
/** Alternatives that all `$or` together spell out: 451 characters can ask for 59,049 of them. */
export const PATTERN_ALTERNATIVES_MAX = 1_024;
/** Every star is one more search through the rest of the text. */
export const WILDCARD_STARS_MAX = 32;
