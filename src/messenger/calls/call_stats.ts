/** Counters of a the table of calls. */
export interface CallStats {
  /** Calls waiting for an answer. */
  readonly pending: number;
  /** Calls started since the beginning. */
  readonly started: number;
  /** Calls refused because the table was full. */
  readonly refused: number;
  /** Times that a call was sent again: by its `retry`, or to another instance of its destination. */
  readonly repeated: number;
}
