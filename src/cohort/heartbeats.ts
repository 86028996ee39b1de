import { type Clock, errorText, type Logger } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import type { Member } from "./members.ts";
import type { CohortMessenger, ResolvedCohortOptions } from "./options.ts";
import type { CohortContracts } from "./protocol.ts";

/** What {@link Heartbeats} needs of a cohort. */
export interface HeartbeatHost {
  /** Who sends. */
  readonly messenger: CohortMessenger;
  /** What is sent. */
  readonly beat: CohortContracts["beat"];
  /** How often, and how long an answer is waited for. */
  readonly options: ResolvedCohortOptions;
  /** Clock. */
  readonly clock: Clock;
  /** Where trouble is reported. */
  readonly logger: Logger;
  /** The workers. */
  members(): readonly Member[];
  /** A worker has answered. */
  heard(member: Member): void;
  /** A worker that has not joined by itself says that it shuts down. */
  left(member: Member): void;
}

/** Tells every worker that the leader lives, and by its answer learns the same of the worker. */
export class Heartbeats {
  readonly #host: HeartbeatHost;
  #stop: () => void = () => {};
  /** How many were answered. */
  answered = 0;
  /** How many were not. */
  missed = 0;

  /** @param host The cohort. */
  constructor(host: HeartbeatHost) {
    this.#host = host;
  }

  /** Begins, or goes on. */
  start(): void {
    this.#stop = this.#host.clock.after(this.#host.options.heartbeatMs, () => {
      this.start();
      for (const member of [...this.#host.members()]) this.beat(member);
    });
  }

  /** Ends. */
  stop(): void {
    this.#stop();
  }

  /** One heartbeat, unless the last one is still under way. */
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
