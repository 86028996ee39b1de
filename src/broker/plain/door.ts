import { errorText, type Logger, ZeromeshError } from "../../core/mod.ts";
import type { BrokerNotice } from "../protocol/notices.ts";
import type { ChannelRegistry } from "../registry/registry.ts";
import type { RegistryClient } from "../registry/registry_client.ts";
import { loadBlake2b } from "./blake2b.ts";
import { DoorClient, DoorClients } from "./door_clients.ts";
import { Refusal } from "./door_fields.ts";
import {
  type DoorAction,
  type DoorDecision,
  doorRequest,
  type DoorScene,
  isQuiet,
  runRequest,
} from "./door_messages.ts";
import { doorNotice } from "./door_notices.ts";
import { DoorSocket, type DoorSocketOptions } from "./door_socket.ts";
import {
  controlFrames,
  type ControlMessage,
  type FrameProblem,
  frameProblems,
  type FrameRules,
  isMalformed,
  type JsonObject,
  type Malformed,
  readControl,
  textOfBytes,
} from "./frames.ts";

/** What a door needs. */
export interface PlainDoorOptions extends DoorSocketOptions {
  readonly registry: ChannelRegistry;
  readonly logger: Logger;
  /** Decides who may do what with which channel. @default {everybody everything} */
  readonly authorize?:
    | ((
      client: Pick<DoorClient, "identity" | "key">,
      action: DoorAction,
      channel: string,
    ) => DoorDecision | Promise<DoorDecision>)
    | undefined;
  /** What clients are told: the time between two heartbeats, and the time without one after which a presence is gone. */
  readonly heartbeatMs: number;
  readonly graceMs: number;
  /** Clients that have registered something, at a time. @default {16_384} */
  readonly maxClients?: number | undefined;
  /** Messages that wait for a decision; above it nothing is read until one is made. @default {1_024} */
  readonly maxWaiting?: number | undefined;
}

/** The counters of a door. */
export interface PlainDoorStats {
  /** Clients that have registered something. */
  readonly clients: number;
  /** What they have registered. */
  readonly presences: number;
  /** Messages that came. */
  readonly received: number;
  /** Answers and notices that were given to libzmq. */
  readonly sent: number;
  /** Answers and notices that were dropped: their client does not read. */
  readonly droppedFull: number;
  /** Answers and notices that were dropped: their client is gone. */
  readonly droppedGone: number;
  /** Requests that were answered with an error. */
  readonly refused: number;
  /** Messages of a key that is not allowed any more. */
  readonly refusedKeys: number;
  /** Messages of an unknown type. */
  readonly unknownTypes: number;
  /** Messages whose handling failed without a reason that the client could be told. */
  readonly failed: number;
  /** Messages that were no control messages, by what was wrong with them. */
  readonly malformed: Readonly<Record<FrameProblem, number>>;
}

/**
 * The door for foreign programs: a ROUTER that speaks JSON in the frames of pyLabHub, onto the registry of the broker.
 *
 * No message ends it. What bounds a client: the size of a message, the messages of it that libzmq holds in each direction,
 * and the registrations of an identity. A client that does not read loses answers, which are counted.
 */
export class PlainDoor implements AsyncDisposable {
  readonly #options: PlainDoorOptions;
  readonly #rules: FrameRules;
  readonly #socket: DoorSocket;
  readonly #clients = new DoorClients();
  readonly #scene: DoorScene;
  readonly #counts = { received: 0, refused: 0, refusedKeys: 0, unknownTypes: 0, failed: 0 };
  readonly #malformed = Object.fromEntries(frameProblems.map((problem) => [problem, 0])) as Record<
    FrameProblem,
    number
  >;
  #waiting = 0;
  #room: (() => void) | null = null;
  readonly #ended: Promise<void>;

  private constructor(options: PlainDoorOptions, socket: DoorSocket, rules: FrameRules) {
    this.#options = options;
    this.#socket = socket;
    this.#rules = rules;
    const { registry, authorize = null, heartbeatMs, graceMs, maxClients = 16_384 } = options;
    const { maxBodyBytes } = rules;
    this.#scene = {
      registry,
      authorize,
      heartbeatMs,
      graceMs,
      maxClients,
      maxBodyBytes,
      clients: this.#clients,
    };
    this.#ended = this.#read();
  }

  /**
   * Opens a door.
   *
   * @throws {ZeromeshError} `ADDRESS_IN_USE`, `ENDPOINT_INVALID` or `ZMQ_ERROR`.
   */
  static async open(options: PlainDoorOptions): Promise<PlainDoor> {
    const blake2b = await loadBlake2b();
    const socket = await DoorSocket.open(options);
    return new PlainDoor(options, socket, { blake2b, maxBodyBytes: socket.maxBodyBytes });
  }

  /** Where it is bound. */
  get endpoint(): string {
    return this.#socket.endpoint;
  }

  /** Its counters. */
  stats(): PlainDoorStats {
    const { sent, droppedFull, droppedGone } = this.#socket;
    return {
      clients: this.#clients.size,
      presences: this.#clients.presences,
      ...this.#counts,
      sent,
      droppedFull,
      droppedGone,
      malformed: { ...this.#malformed },
    };
  }

  /** Tells a client something. Returns whether it is one of this door. */
  notice(client: RegistryClient, notice: BrokerNotice): boolean {
    if (!(client instanceof DoorClient)) return false;
    if (!this.#clients.reaches(client)) return true;
    // A client that registers again in the place of its own registration knows that.
    if (notice.type === "fenced" && client.registering === notice.channel) return true;
    const message = doorNotice(
      notice,
      client.older,
      (presence) => this.#clients.presence(presence)?.pid ?? null,
    );
    if (message !== null) this.#send(client, message.type, client.older ? null : noCorrelation, message.body);
    return true;
  }

  /** Forgets a presence that has ended. */
  released(presence: number): void {
    this.#clients.remove(presence);
  }

  /** Closes it. What it has sent leaves for a short time in the background. */
  async close(): Promise<void> {
    this.#room?.();
    await this.#socket.close();
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(): Promise<void> {
    for await (const { key, frames: [routingId, ...frames] } of this.#socket) {
      if (routingId === undefined) continue;
      this.#counts.received++;
      try {
        this.#receive(routingId, frames, key);
      } catch (error) {
        this.#fail(error);
      }
      if (this.#waiting >= (this.#options.maxWaiting ?? 1_024)) {
        await new Promise<void>((resolve) => this.#room = resolve);
      }
    }
  }

  #receive(routingId: Uint8Array, frames: readonly Uint8Array[], key: string | null): void {
    const { curve } = this.#options;
    if (curve != null && (key === null || !curve.allow(key))) {
      this.#counts.refusedKeys++;
      return;
    }
    const message = readControl(routingId, frames, this.#rules);
    const client = this.#clients.of(routingId, key);
    if (isMalformed(message)) return this.#answerMalformed(client, message);
    client.older = message.correlation === null;
    if (client.waiting === null) this.#handle(client, message);
    else this.#wait(client, client.waiting.then(() => this.#handleNow(client, message)));
  }

  #handle(client: DoorClient, message: ControlMessage): void {
    const handled = this.#handleNow(client, message);
    if (handled !== null) this.#wait(client, handled);
    this.#clients.settle(client);
  }

  /** Lets the client's later messages wait for one whose decision is not made yet. */
  #wait(client: DoorClient, handled: Promise<void | null>): void {
    this.#waiting++;
    const ended: Promise<void> = handled.then(() => {
      this.#waiting--;
      this.#room?.();
      this.#room = null;
      if (client.waiting !== ended) return;
      client.waiting = null;
      this.#clients.settle(client);
    });
    client.waiting = ended;
  }

  /** Handles a message, and answers it. Returns a promise, which never rejects, if that takes time. */
  #handleNow(client: DoorClient, message: ControlMessage): Promise<void> | null {
    let result: ReturnType<typeof runRequest>;
    try {
      result = runRequest(this.#scene, client, message.type, message.body);
    } catch (error) {
      this.#answerError(client, message, error);
      return null;
    }
    if (!(result instanceof Promise)) {
      this.#answer(client, message, result);
      return null;
    }
    return result.then(
      (body) => this.#answer(client, message, body),
      (error: unknown) => this.#answerError(client, message, error),
    );
  }

  #answer(client: DoorClient, { type, correlation }: ControlMessage, body: JsonObject): void {
    if (isQuiet(type, correlation)) return;
    this.#send(client, doorRequest(type)!.ack, correlation, {
      status: "success",
      ...body,
      ...idOf(correlation),
    });
  }

  #answerMalformed(client: DoorClient, { problem, answerable }: Malformed): void {
    this.#malformed[problem]++;
    if (answerable === null) return;
    const { type, correlation } = answerable;
    if (!isQuiet(type, correlation)) {
      this.#sendError(client, correlation, "INVALID_REQUEST", `The message is malformed: ${problem}`, null);
    }
  }

  #answerError(client: DoorClient, { type, correlation }: ControlMessage, error: unknown): void {
    this.#counts.refused++;
    let code = "INTERNAL_ERROR";
    let text = "The broker failed; its log has the reason";
    let field: string | null = null;
    if (error instanceof Refusal) ({ code, field, message: text } = error);
    else if (error instanceof ZeromeshError) ({ code, message: text } = error);
    else this.#fail(error);
    if (code === "UNKNOWN_MSG_TYPE") this.#counts.unknownTypes++;
    if (!isQuiet(type, correlation)) this.#sendError(client, correlation, code, text, field);
  }

  #sendError(
    client: DoorClient,
    correlation: Uint8Array | null,
    code: string,
    text: string,
    field: string | null,
  ): void {
    this.#send(client, "ERROR", correlation, {
      status: "error",
      error_code: code,
      message: text,
      ...(field === null ? {} : { field }),
      ...idOf(correlation),
    });
  }

  #send(client: DoorClient, type: string, correlation: Uint8Array | null, body: JsonObject): void {
    this.#socket.send([client.routingId, ...controlFrames(type, correlation, body)]);
  }

  #fail(error: unknown): void {
    this.#counts.failed++;
    this.#options.logger.error("A message at the plain door could not be handled", {
      error: errorText(error),
    });
  }
}

const noCorrelation = new Uint8Array(0);

function idOf(correlation: Uint8Array | null): JsonObject {
  return correlation === null || correlation.length === 0 ? {} : { correlation_id: textOfBytes(correlation) };
}
