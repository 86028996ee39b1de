/**
 * A call's destination that is not one instance but several: the feature that makes such objects chooses the instance
 * for each call.
 */
export interface Destination {
  /** Its kind, by which the messenger knows what to do with it. */
  readonly destination: string;
}

/** The destination of a call that is sent again: instances that failed it are chosen only where there is no other. */
export interface RetriedDestination extends Destination {
  /** The instances that failed it. */
  readonly tried?: ReadonlySet<string> | undefined;
}

/** Whether a value is a {@link Destination}. */
export function isDestination(value: unknown): value is Destination {
  return typeof value === "object" && value !== null &&
    typeof (value as Partial<Destination>).destination === "string";
}
