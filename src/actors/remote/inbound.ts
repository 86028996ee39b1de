import { errorText, type InstanceId, ZeromeshError } from "../../core/mod.ts";
import { FeatureFailure, type SystemMessage, type SystemPort } from "../../messenger/mod.ts";
import { NameCache } from "../../wire/mod.ts";
import type { Cell } from "../cell/cell.ts";
import type { Origin } from "../cell/parts.ts";
import type { SystemRouter } from "../router.ts";
import { AuthorizedOrder } from "./authorized_order.ts";
import { decodeEnvelope, Envelope } from "./envelope.ts";
import { askHandler, tellHandler } from "./messages.ts";
import { decodeValue, encodeValue } from "./values.ts";

/** What an {@link Inbound} needs of its system. */
export interface InboundParts {
  readonly port: SystemPort;
  /** Takes messages to mailboxes. */
  readonly router: Pick<SystemRouter, "find" | "deliverTell" | "deliverAsk">;
}

/** Takes the messages of other instances to mailboxes, in the order in which they came. */
export class Inbound implements Disposable {
  readonly #parts: InboundParts;
  readonly #names = new NameCache();
  // Reused: a message is read before the next one comes.
  readonly #envelope = new Envelope();
  readonly #order: AuthorizedOrder;
  readonly #handlers: readonly Disposable[];

  constructor(parts: InboundParts) {
    this.#parts = parts;
    const { port } = parts;
    this.#order = new AuthorizedOrder(port);
    const options = { admission: "user" } as const;
    this.#handlers = [
      port.handle(tellHandler, "am", (message) => this.#receive(message, "tell"), options),
      port.handle(askHandler, "unary", (message) => this.#receive(message, "ask"), options),
    ];
  }

  [Symbol.dispose](): void {
    for (const handler of this.#handlers) handler[Symbol.dispose]();
  }

  #receive(message: SystemMessage, kind: "tell" | "ask"): unknown {
    try {
      const { port, router } = this.#parts;
      const instance = port.senderOf(message)?.instanceId;
      if (instance === undefined) throw stranger();
      const envelope = this.#envelope;
      const { source, payloadStart, payloadEnd } = message.lent;
      const why = decodeEnvelope(source, payloadStart, payloadEnd, envelope, this.#names);
      if (why !== null) {
        throw new ZeromeshError("PAYLOAD_INVALID", `A message for an actor cannot be read: ${why}`);
      }
      const { name, encoding, target } = envelope;
      const input = encoding === "bytes"
        ? message.payload.subarray(envelope.valueAt - payloadStart)
        : decodeValue(name, source.subarray(envelope.valueAt, payloadEnd), encoding, "PAYLOAD_INVALID");
      const origin = this.#originOf(message, envelope, instance);
      const deliver = (): unknown => {
        const cell = router.find(target);
        return kind === "tell"
          ? this.#tell(message, cell, name, input, origin)
          : this.#ask(message, cell, name, input, origin, encoding);
      };
      if (!port.authorizes) return deliver();
      const subject = { actor: target, action: kind, message: name };
      return this.#order.add(message, target, subject, deliver).catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #tell(message: SystemMessage, cell: Cell, name: string, input: unknown, origin: Origin): unknown {
    const signal = cell.mailbox.hasRoom ? undefined : signalOf(message);
    const wait = { timeoutMs: Infinity, signal };
    return this.#parts.router.deliverTell(cell, name, input, origin, wait)?.catch(fail);
  }

  #ask(
    message: SystemMessage,
    cell: Cell,
    name: string,
    input: unknown,
    origin: Origin,
    encoding: Envelope["encoding"],
  ): Promise<Uint8Array> {
    const wait = cell.mailbox.hasRoom
      ? { timeoutMs: Infinity, signal: undefined, asker: null, raw: true, message }
      : { timeoutMs: Infinity, signal: signalOf(message), asker: null, raw: true };
    const answer = this.#parts.router.deliverAsk(cell, name, input, origin, wait);
    return answer.then((value) => encodeValue(name, value, encoding)).catch(fail);
  }

  #originOf({ ttlMs }: SystemMessage, envelope: Envelope, instance: InstanceId): Origin {
    const { sender, headers, trace, chain } = envelope;
    const { clock } = this.#parts.port;
    const deadlineAt = ttlMs < 0 ? Infinity : clock.now() + ttlMs;
    return {
      sender: sender === null ? null : `${sender}@${instance}`,
      instance,
      headers,
      deadlineAt,
      chain,
      trace,
    };
  }
}

/** Aborts when nobody waits for a message any more. It costs too much for a message that need not wait for room. */
function signalOf(message: SystemMessage): AbortSignal {
  const gone = new AbortController();
  message.whenAborted((reason) => gone.abort(reason));
  return gone.signal;
}

function stranger(): ZeromeshError {
  return new ZeromeshError(
    "FORBIDDEN",
    "A message for an actor was refused: its sender has not introduced itself",
  );
}

/** Throws what the caller is to be told: code, text and details, and whether the handler ran. */
function fail(error: unknown): never {
  if (!(error instanceof ZeromeshError)) {
    throw new FeatureFailure({ code: "HANDLER_FAILED", message: errorText(error), ran: "yes" });
  }
  const { code, message, ran, details } = error;
  throw new FeatureFailure({ code, message, ran, data: dataOf(details) });
}

const encoder = new TextEncoder();
// Of a header's value.
const maxDetailBytes = 1_024;

/** Details travel in a header, which holds little. */
function dataOf(details: unknown): unknown {
  try {
    const text: string | undefined = JSON.stringify(details);
    return text !== undefined && encoder.encode(text).length <= maxDetailBytes ? details : undefined;
  } catch {
    return undefined;
  }
}
