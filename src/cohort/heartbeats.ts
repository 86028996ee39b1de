import { type Clock, errorText, type Logger } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import type { Member } from "./members.ts";
import type { CohortMessenger, ResolvedCohortOptions } from "./options.ts";
import type { CohortContracts } from "./protocol.ts";

/** The cohort, as far as {@link Heartbeats} uses it. */
export interface HeartbeatHost {
  /** The leader's messenger. */
  readonly messenger: CohortMessenger;
  /** The heartbeat's contract. */
  readonly beat: CohortContracts["beat"];
  /** Interval and timeout. */
  readonly options: ResolvedCohortOptions;
  /** Clock. */
  readonly clock: Clock;
  /** Logger. */
  readonly logger: Logger;
  /** The workers. */
  members(): readonly Member[];
  /** A worker has answered. */
  heard(member: Member): void;
  /** A worker that has not joined by itself reports that it shuts down. */
  left(member: Member): void;
}

/** Heartbeats to every worker. The answer shows that the worker lives. */
export class Heartbeats {
  readonly #host: HeartbeatHost;
  #stop: () => void = () => {};
  /** Answered heartbeats. */
  answered = 0;
  /** Unanswered heartbeats. */
  missed = 0;

  constructor(host: HeartbeatHost) {
    this.#host = host;
  }

  /** Starts or resumes. */
  start(): void {
    this.#stop = this.#host.clock.after(this.#host.options.heartbeatMs, () => {
      this.start();
      for (const member of [...this.#host.members()]) this.beat(member);
    });
  }

  stop(): void {
    this.#stop();
  }

  /** Sends a heartbeat, unless the last one is still under way. */
  beat(member: Member): void {
    const { messenger, beat, options: { lostAfterMs }, logger } = this.#host;
    if (member.state === "lost" || member.asked) return;
    member.asked = true;
    const to = member.instanceId;
    const answer: Promise<string> = member.plain
      ? messenger.healthCheck(to, { timeoutMs: lostAfterMs }).then(({ status }) => status)
      : messenger.amSync(beat, { to, payload: {}, timeoutMs: lostAfterMs }).then(() => "ok");
    answer.then((status) => {
      this.answered++;
      this.#host.heard(member);
      if (status === "draining") this.#host.left(member);
    }, (error) => {
      this.missed++;
      logger.debug("a worker did not answer a heartbeat", {
        worker: peerText(member),
        error: errorText(error),
      });
    }).finally(() => member.asked = false);
  }
}
