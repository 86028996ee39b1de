/**
 * What happens at the limit of a queue. Each option names the ones that make sense for it.
 *
 * - `wait`: whoever adds waits for a place.
 * - `fail`: whoever adds gets an error.
 * - `dropOldest`: the oldest item makes room for the new one.
 * - `dropNewest`: the new item is dropped.
 */
export type Overflow = "wait" | "fail" | "dropOldest" | "dropNewest";
