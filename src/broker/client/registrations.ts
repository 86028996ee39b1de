import { type Backoff, errorText, type Logger, ZeromeshError } from "../../core/mod.ts";
import { brokerErrors } from "../errors.ts";
import type { ChannelView, ProducerRoute, Welcome } from "../protocol/contracts.ts";
import type { BrokerNotice } from "../protocol/notices.ts";
import type { ClientRequest, RequestInput, RequestOutput } from "./requests.ts";

/** What registrations need of the connection to the broker. */
export interface RegistrationHost {
  /** The broker; null while none answers. */
  readonly broker: { readonly welcome: Welcome } | null;
  /** Tells waiters of each change. */
  readonly changed: { changed(): void };
  readonly port: { readonly logger: Logger };
  request<Name extends ClientRequest>(name: Name, input: RequestInput<Name>): Promise<RequestOutput<Name>>;
  /** Registers, with the others of this turn. */
  register<Name extends "register" | "registerConsumer">(
    name: Name,
    input: RequestInput<Name>,
  ): Promise<RequestOutput<Name>>;
  remember(registration: Registration): void;
  forget(registration: Registration): void;
  later(timeoutMs: number, run: () => void): void;
}

/** What a channel's owner in this process is told. */
export interface RegistrationEvents {
  /** The broker has it, for the first time or again. */
  registered?(): void;
  /** It has ended: by an error, or because the channel closes. */
  ended(reason: ZeromeshError): void;
  /** A notice about its channel. */
  noticed?(notice: BrokerNotice): void;
  /** The channel closes, and who is asked for it may stay until its end. Without this the registration ends at once. */
  closing?(reason: ZeromeshError): void;
}

/** Errors after which another attempt makes sense while the registration is wanted. */
const passing = new Set(["CHANNEL_NOT_FOUND", "CHANNEL_NOT_READY", "CHANNEL_CLOSED"]);

/** A registration that is made again whenever a broker is reached. */
export abstract class Registration {
  readonly channel: string;
  /** The broker's number for it; null while it has none. */
  presence: number | null = null;
  /** Why it has ended, not by its owner; null while it has not. */
  ended: ZeromeshError | null = null;
  protected readonly connection: RegistrationHost;
  protected readonly events: RegistrationEvents;
  readonly #backoff: Backoff;
  #over = false;
  #running: Promise<void> | null = null;

  constructor(connection: RegistrationHost, channel: string, events: RegistrationEvents, backoff: Backoff) {
    this.connection = connection;
    this.channel = channel;
    this.events = events;
    this.#backoff = backoff;
  }

  /** Asks the broker; sets {@link presence}. */
  protected abstract ask(): Promise<void>;
  /** Takes it back at the broker. */
  protected abstract takeBack(presence: number): Promise<unknown>;

  /** Registers, for the first time. @throws {ZeromeshError} The broker's refusal. */
  async begin(): Promise<void> {
    await this.#ask();
    this.connection.remember(this);
    this.#told();
  }

  /** Remembers it without a broker, and registers as soon as there is one. */
  remember(): void {
    this.connection.remember(this);
    // There may be one again since the attempt that failed.
    if (this.connection.broker !== null) void this.renew();
  }

  async #ask(): Promise<void> {
    const { broker } = this.connection;
    await this.ask();
    if (this.connection.broker === broker) return;
    // The numbers of a broker that is lost belong to others at the next one.
    this.presence = null;
    throw new ZeromeshError("PEER_DISCONNECTED", "The broker was lost as it answered", { ran: "yes" });
  }

  /** Registers again. Does not reject. */
  renew(): Promise<void> {
    return this.#running ??= this.#renew().finally(() => this.#running = null);
  }

  async #renew(): Promise<void> {
    if (this.#over || this.presence !== null) return;
    try {
      await this.#ask();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#over) {
      if (this.presence !== null) await this.takeBack(this.presence).catch(() => {});
      return;
    }
    this.#told();
  }

  #told(): void {
    this.#backoff.reset();
    this.events.registered?.();
    this.connection.changed.changed();
  }

  #failed(error: unknown): void {
    const code = error instanceof ZeromeshError ? error.code : "";
    const final = code === "FORBIDDEN" || code === "IDENTITY_MISMATCH" || code === "NAME_INVALID" ||
      (Object.hasOwn(brokerErrors, code) && !passing.has(code) && code !== "CLIENT_UNKNOWN");
    if (final) {
      this.end(error as ZeromeshError);
      return;
    }
    this.connection.port.logger.debug("A registration has to wait", {
      channel: this.channel,
      error: errorText(error),
    });
    if (this.connection.broker !== null) this.connection.later(this.#backoff.next(), () => void this.renew());
  }

  /** The broker is lost: it has to be made again. */
  down(): void {
    this.presence = null;
  }

  /** The owner wants it no more. Resolves when the broker knows, or cannot be told. */
  async drop(): Promise<boolean> {
    if (this.#over) return false;
    this.#over = true;
    this.connection.forget(this);
    const { presence } = this;
    this.presence = null;
    if (presence === null) return false;
    try {
      await this.takeBack(presence);
      return true;
    } catch (error) {
      // Its heartbeats end, so that it ends there by itself.
      if (error instanceof ZeromeshError && Object.hasOwn(brokerErrors, error.code)) throw error;
      return false;
    }
  }

  /** The owner wants it no more, and the broker is not told. */
  abandon(): void {
    this.#over = true;
    this.connection.forget(this);
    this.presence = null;
  }

  /** It has ended, not by its owner. */
  end(reason: ZeromeshError): void {
    if (this.#over) return;
    this.abandon();
    this.ended = reason;
    this.events.ended(reason);
  }

  /** The broker tells something. */
  noticed(notice: BrokerNotice): void {
    if (this.#over || !("channel" in notice) || notice.channel !== this.channel) return;
    this.heard(notice);
  }

  /** A notice about its channel. */
  protected heard(notice: BrokerNotice): void {
    this.events.noticed?.(notice);
  }
}

/** What a producer registers, without its channel. */
export type ProducerTerms = Omit<RequestInput<"register">, "channel" | "identity" | "ready" | "resumes">;

/** A producer. */
export class ProducerEntry extends Registration {
  /** How often it has been taken over or registered, as the broker counts. */
  epoch = 0;
  readonly #terms: ProducerTerms;
  /** Its last registration, and the run of the broker that it was made at. */
  #registered: { readonly run: number | undefined; readonly presence: number } | null = null;

  constructor(
    connection: RegistrationHost,
    channel: string,
    terms: ProducerTerms,
    events: RegistrationEvents,
    backoff: Backoff,
  ) {
    super(connection, channel, events, backoff);
    this.#terms = terms;
  }

  protected override async ask(): Promise<void> {
    const run = this.connection.broker?.welcome.epoch;
    const before = this.#registered;
    const { presence, epoch } = await this.connection.register("register", {
      channel: this.channel,
      ...this.#terms,
      ready: true,
      // Of another run of the broker it means nothing.
      ...(before !== null && before.run === run ? { resumes: before.presence } : {}),
    });
    this.presence = presence;
    this.epoch = epoch;
    this.#registered = { run, presence };
  }

  protected override takeBack(presence: number): Promise<unknown> {
    return this.connection.request("deregister", { channel: this.channel, presence });
  }

  protected override heard(notice: BrokerNotice): void {
    super.heard(notice);
    if (notice.type === "fenced" && notice.presence === this.presence) {
      this.end(
        new ZeromeshError(
          "STALE_INSTANCE",
          `Another instance of this identity has taken channel "${this.channel}" over; close this handle`,
          { ran: "yes", details: { channel: this.channel, epoch: notice.epoch } },
        ),
      );
    } else if (notice.type === "channelClosing" && notice.reason === "closed" && notice.epoch >= this.epoch) {
      this.end(closing(this.channel, notice.reason));
    }
    // It lives if the broker gave it up for lost, and registers anew with its next heartbeat.
  }
}

/** What a consumer registers, without its channel. */
export type ConsumerTerms = Omit<RequestInput<"registerConsumer">, "channel" | "identity">;

/** A consumer. */
export class ConsumerEntry extends Registration {
  /** The channel, as the broker has shown it last. */
  view: ChannelView | null = null;
  /** Where the data comes from. */
  route: ProducerRoute | null = null;
  /** The last number that it had, by which the producer knows it. */
  lastPresence = 0;
  /** Why the channel is over; null while it is not. */
  over: ZeromeshError | null = null;
  #epoch = 0;
  readonly #terms: ConsumerTerms;

  constructor(
    connection: RegistrationHost,
    channel: string,
    terms: ConsumerTerms,
    events: RegistrationEvents,
    backoff: Backoff,
  ) {
    super(connection, channel, events, backoff);
    this.#terms = terms;
  }

  protected override async ask(): Promise<void> {
    const { presence, channel, route } = await this.connection.register("registerConsumer", {
      channel: this.channel,
      ...this.#terms,
    });
    this.presence = this.lastPresence = presence;
    this.view = channel;
    this.route = route;
    this.#epoch = channel.producer.epoch;
  }

  protected override takeBack(presence: number): Promise<unknown> {
    return this.connection.request("deregisterConsumer", { channel: this.channel, presence });
  }

  protected override heard(notice: BrokerNotice): void {
    if (notice.type === "producerChanged") {
      this.route = notice.route;
      this.#epoch = notice.epoch;
      this.connection.changed.changed();
    }
    super.heard(notice);
    // A channel that was made anew meanwhile has a higher epoch.
    const isOver = (notice.type === "channelClosing" || notice.type === "forcedShutdown") &&
      notice.epoch >= this.#epoch;
    if (!isOver) return;
    if (notice.type === "channelClosing") {
      this.over = closing(this.channel, notice.reason);
      this.connection.changed.changed();
      if (this.events.closing === undefined) this.end(this.over);
      else this.events.closing(this.over);
    } else this.end(this.over ?? closing(this.channel, "timeout"));
  }
}

function closing(channel: string, reason: string): ZeromeshError {
  const why = {
    deregistered: "its producer has closed it",
    timeout: "its producer gave no sign of life",
    closed: "it was closed at the broker",
  }[reason] ?? reason;
  return new ZeromeshError("CHANNEL_CLOSED", `Channel "${channel}" has ended: ${why}`, {
    ran: "yes",
    details: { channel },
  });
}
