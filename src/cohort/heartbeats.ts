import { errorText, type InstanceId } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import type { Member } from "./members.ts";
import type { CohortMessenger } from "./options.ts";
import type { Places } from "./places.ts";
import type { CohortContracts } from "./protocol.ts";

/** The cohort, as far as {@link Heartbeats} uses it. */
export interface HeartbeatParts {
  /** The leader's messenger. */
  readonly messenger: CohortMessenger;
  /** The heartbeat's contract. */
  readonly beat: CohortContracts["beat"];
  /** The workers, with interval and timeout. */
  readonly places: Places;
  /** A worker that has not joined by itself reports that it shuts down. */
  left(worker: InstanceId): void;
}

/** Heartbeats to every worker. The answer shows that the worker lives. */
export class Heartbeats {
  readonly #parts: HeartbeatParts;
  #stop: () => void = () => {};
  /** Answered heartbeats. */
  answered = 0;
  /** Unanswered heartbeats. */
  missed = 0;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
  }

  /** Starts or resumes. */
  start(): void {
    const { host: { clock, options }, members } = this.#parts.places;
    this.#stop = clock.after(options.heartbeatMs, () => {
      this.start();
      for (const member of [...members.ordered()]) this.beat(member);
    });
  }

  stop(): void {
    this.#stop();
  }

  /** Sends a heartbeat, unless the last one is still under way. */
  beat(member: Member): void {
    const { messenger, beat, places } = this.#parts;
    const { options: { lostAfterMs }, logger } = places.host;
    if (member.state === "lost" || member.asked) return;
    member.asked = true;
    const to = member.instanceId;
    const answer: Promise<string> = member.plain
      ? messenger.healthCheck(to, { timeoutMs: lostAfterMs }).then(({ status }) => status)
      : messenger.amSync(beat, { to, payload: {}, timeoutMs: lostAfterMs }).then(() => "ok");
    answer.then((status) => {
      this.answered++;
      places.heard(member);
      if (status === "draining") this.#parts.left(to);
    }, (error) => {
      this.missed++;
      logger.debug("a worker did not answer a heartbeat", {
        worker: peerText(member),
        error: errorText(error),
      });
    }).finally(() => member.asked = false);
  }
}
