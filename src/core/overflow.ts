/**
 * Policy at the limit of a queue. Each option names the values that it takes.
 *
 * - `wait`: the writer waits for a place.
 * - `fail`: the writer gets an error.
 * - `dropOldest`: the oldest item makes room for the new one.
 * - `dropNewest`: the new item is dropped.
 */
export type Overflow = "wait" | "fail" | "dropOldest" | "dropNewest";
