/** What one input transformer may ask for; as EventBridge's where it has a number. */

export const TRANSFORMER_PATHS_MAX = 100;
/** Of the template, written as JSON. */
export const TEMPLATE_CHARACTERS_MAX = 8_192;
/** Of the values in what is made of it: 256 KB, as much as an event of EventBridge has in all. */
export const TRANSFORMED_CHARACTERS_MAX = 262_144;
