/** Counters of the response table. */
export interface CallStats {
  /** Calls that wait for an answer. */
  readonly pending: number;
  /** Calls started. */
  readonly started: number;
  /** Calls refused at the limit. */
  readonly refused: number;
  /** Repeated sends of a call: by its `retry`, or to another instance of its destination. */
  readonly repeated: number;
}
