/** What a connection has counted. */
export interface ConnectionStats {
  /** Whether a broker answers. */
  readonly connected: boolean;
  /** Times a broker was reached, the first one included. */
  readonly connects: number;
  /** Times it was lost. */
  readonly losses: number;
  /** Requests to it, heartbeats included. */
  readonly requests: number;
  /** Requests that failed. */
  readonly failures: number;
  /** Notices from it. */
  readonly notices: number;
  /** The round trip of the last heartbeat, in milliseconds; null without one. */
  readonly roundTripMs: number | null;
  /** How long ago, in milliseconds, it answered last; null if it never did. */
  readonly lastAnswerMs: number | null;
  /** Registrations that are remembered, and those of them that the broker has now. */
  readonly registrations: { readonly remembered: number; readonly registered: number };
}
