/**
 * A call's destination with several instances. The feature that makes such objects chooses an instance for each call.
 */
export interface Destination {
  /** Its kind, by which the messenger finds the feature. */
  readonly destination: string;
}

/** The destination of a retried call: instances that failed it are chosen only if there is no other. */
export interface RetriedDestination extends Destination {
  /** The instances that failed it. */
  readonly tried?: ReadonlySet<string> | undefined;
}

/** Whether a value is a {@link Destination}. */
export function isDestination(value: unknown): value is Destination {
  return typeof value === "object" && value !== null &&
    typeof (value as Partial<Destination>).destination === "string";
}
