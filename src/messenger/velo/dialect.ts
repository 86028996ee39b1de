/** What the other end of a connection takes and says, where instances of this library and plain Velo differ. */
export interface Dialect {
  /** Whether it is an instance of this library. */
  readonly ours: boolean;
  /** Whether its messages name itself as their sender. Plain Velo may name any instance. */
  readonly namesItself: boolean;
  /** Whether an empty payload stands for `undefined`. Velo's JSON has only `null`. */
  readonly hasUndefined: boolean;
  /** Whether a call is only for a handler of the kind that its caller expects. Velo runs a handler of either kind. */
  readonly asksForKind: boolean;
  /** Whether it takes a goodbye. */
  readonly takesGoodbye: boolean;
}

function dialect(ours: boolean): Dialect {
  return Object.freeze({
    ours,
    namesItself: ours,
    hasUndefined: ours,
    asksForKind: ours,
    takesGoodbye: ours,
  });
}

/** The dialect of this library. */
export const ownDialect: Dialect = dialect(true);
/** The dialect of plain Velo, and of every instance until its handshake. */
export const baseDialect: Dialect = dialect(false);
