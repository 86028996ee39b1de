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
  /** How often, and after how long a silence a worker is lost. */
  readonly options: ResolvedCohortOptions;
  /** Clock. */
  readonly clock: Clock;
  /** Where trouble is reported. */
  readonly logger: Logger;
  /** The workers. */
  members(): readonly Member[];
  /** A worker has answered. */
  heard(): void;
  /** A worker that has not joined by itself says that it shuts down. */
  left(member: Member): void;
  /** A worker was silent for too long. */
  lose(member: Member): void;
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

  /** One heartbeat, or the end of a worker that was silent for too long. */
  beat(member: Member): void {
    const { messenger, beat, options: { lostAfterMs }, clock, logger } = this.#host;
    const { heardAt } = member;
    if (member.state === "lost") return;
    // Whoever was given by its id and never heard of has not begun yet.
    if (heardAt !== null && clock.now() - heardAt > lostAfterMs) return this.#host.lose(member);
    if (member.asked) return;
    member.asked = true;
    const to = member.instanceId;
    const answer: Promise<string> = member.plain
      ? messenger.healthCheck(to, { timeoutMs: lostAfterMs }).then(({ status }) => status)
      : messenger.amSync(beat, { to, payload: {}, timeoutMs: lostAfterMs }).then(() => "ok");
    answer.then((status) => {
      this.answered++;
      member.heardAt = clock.now();
      if (status === "draining") this.#host.left(member);
      else this.#host.heard();
    }, (error) => {
      this.missed++;
      logger.debug("a worker did not answer a heartbeat", {
        worker: peerText(member),
        error: errorText(error),
      });
    }).finally(() => member.asked = false);
  }
}
