import { type AnySchema, type InstanceId, validate, ZeromeshError } from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import { NameCache } from "../../wire/mod.ts";
import { askSchemas, tellSchema } from "../contract.ts";
import { inputInvalid, outputInvalid } from "../failures.ts";
import { encodeEnvelope } from "./envelope.ts";
import { askHandler, tellHandler } from "./messages.ts";
import type { OutgoingMessage } from "./remote.ts";
import { decodeValue, encodeValue, encodingOf } from "./values.ts";

/** Sends messages to actors of other instances. */
export class Outbound {
  readonly #port: SystemPort;
  readonly #names = new NameCache();
  /** The last message to an actor whose schema needed time: later ones wait for it, so that order holds. */
  readonly #checking = new Map<string, Promise<unknown>>();

  constructor(port: SystemPort) {
    this.#port = port;
  }

  /** Resolves when the message is in the actor's mailbox. */
  tell(message: OutgoingMessage): Promise<void> {
    const { contract, name, instance } = message;
    const schema = tellSchema(contract, name) ?? unknownMessage("tell", message);
    return this.#checked(message, schema, () => {
      const payload = this.#encode(message);
      const sent = this.#port.sync(tellHandler, instance, payload, waitOf(message));
      return sent.catch((error: unknown) => refused(error, message));
    });
  }

  /** Resolves to the actor's answer. */
  ask(message: OutgoingMessage): Promise<unknown> {
    const { contract, name, instance } = message;
    const { input, output } = askSchemas(contract, name) ?? unknownMessage("ask", message);
    const encoding = encodingOf(contract);
    const accept = (answer: { readonly payload: Uint8Array; keep(): Uint8Array }): unknown => {
      const value = encoding === "bytes"
        ? answer.keep()
        : decodeValue(name, answer.payload, encoding, "RESULT_INVALID");
      return validate(output, value, (issues, cause) => outputInvalid(name, issues, cause));
    };
    return this.#checked(message, input, () => {
      const payload = this.#encode(message);
      const asked = this.#port.call(askHandler, instance, payload, { ...waitOf(message), accept });
      return asked.catch((error: unknown) => refused(error, message));
    });
  }

  /** Sends once the input is valid, and in the order of the calls. */
  #checked<T>(message: OutgoingMessage, schema: AnySchema, send: () => Promise<T>): Promise<T> {
    const { name, input, target, instance } = message;
    const valid = validate(schema, input, (issues, cause) => inputInvalid(name, issues, cause));
    if (!(valid instanceof Promise) && this.#checking.size === 0) return send();
    const route = `${target}@${instance}`;
    const earlier = this.#checking.get(route);
    if (!(valid instanceof Promise) && earlier === undefined) return send();
    const turn = Promise.allSettled([earlier, valid]).then(() => valid);
    this.#checking.set(route, turn);
    const sent = turn.then(send).finally(() => {
      if (this.#checking.get(route) === turn) this.#checking.delete(route);
    });
    return sent;
  }

  #encode({ target, name, contract, input, origin }: OutgoingMessage): Uint8Array {
    const { sender, headers, trace, chain } = origin;
    const encoding = encodingOf(contract);
    const parts = { target, name, encoding, sender: sender && idOf(sender), headers, trace, chain };
    return encodeEnvelope(parts, encodeValue(name, input, encoding), this.#names);
  }
}

function waitOf({ timeoutMs, signal, contract, name }: OutgoingMessage): {
  timeoutMs: number | undefined;
  signal: AbortSignal | undefined;
  label: string;
} {
  return { timeoutMs, signal, label: `${contract.name}.${name}` };
}

/** The id in an actor's address. */
function idOf(address: string): string {
  return address.slice(0, address.indexOf("@"));
}

function unknownMessage(kind: string, { contract, name }: OutgoingMessage): never {
  throw new ZeromeshError("HANDLER_NOT_FOUND", `Contract "${contract.name}" has no ${kind} "${name}"`, {
    handler: name,
  });
}

/** An instance without an actor system has no actors. */
function refused(error: unknown, { target, instance }: OutgoingMessage): never {
  if (!(error instanceof ZeromeshError) || error.code !== "HANDLER_NOT_FOUND") throw error;
  // An actor that lacks the message says so in details.
  if (error.details !== undefined) throw error;
  throw noSystem(`${target}@${instance}`, instance, error);
}

function noSystem(address: string, instance: InstanceId, cause: ZeromeshError): ZeromeshError {
  return new ZeromeshError(
    "ACTOR_NOT_FOUND",
    `There is no actor ${address}: its instance has no actor system`,
    { peer: instance, details: { actor: address }, cause },
  );
}
