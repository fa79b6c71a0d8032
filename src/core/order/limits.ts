/** Limits of targets with an order, each with its reason. */

/** Stragglers come within seconds; who waits longer for them wants a batch. */
export const ORDER_HOLD_SECONDS_MAX = 60;
/** Deliveries of one key that are called at once when it is their turn: they go one after the other in one batch. */
export const ORDER_NEXT_MAX = 20;
/** Deliveries of all keys that one call lets go: one pack or a few. */
export const ORDER_NEXT_PAGE = 500;
/** Keys with something that waits which a pass of the sweeper looks at, each some seeks in an index. */
export const ORDER_KEYS_PAGE = 1_000;
/** Keys of what waits for a gate or a closed target that such a pass walks over. */
export const ORDER_KEYS_WALKED_MAX = 10_000;
/** After a failure of ours that came before an attempt, as a message's first retry. */
export const ORDER_RETRY_MS = 5_000;
