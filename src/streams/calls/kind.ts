import {
  type AnySchema,
  type Contract,
  isStream,
  option,
  type OptionTable,
  type StreamCallOptions,
} from "../../core/mod.ts";
import {
  type Caller,
  type ClientCallOptions,
  type ContractKind,
  type Handler,
  type InboundCall,
  type MethodOptions,
  methodOptionTable,
  type Served,
  type SystemPort,
  typedUnaryHandler,
} from "../../messenger/mod.ts";
import type { StreamMux } from "../byte_stream.ts";
import { turnShareOf } from "../turn_share.ts";
import { CallHandle } from "./call_handle.ts";
import { ClientCall, type ClientCallOptionsOf } from "./client_call.ts";
import { ItemCodec } from "./item_codec.ts";
import { plainContract } from "./plain_contract.ts";
import { ServedCall } from "./served_call.ts";
import type { Direction, Side } from "./stream_errors.ts";

type MethodOwn = ClientCallOptions & StreamCallOptions;

const optionTable: OptionTable<MethodOwn> = { ...methodOptionTable, idleTimeoutMs: option.timeout };

/** How contracts with a stream are handled and called. */
export function streamContracts(port: SystemPort, mux: StreamMux): ContractKind {
  const { clock } = port;
  const turns = turnShareOf(clock);
  const directions = (contract: Contract) => {
    const { encoding, input, output } = contract;
    const codec = new ItemCodec(encoding);
    const one = (schema: AnySchema | undefined, from: Side): Direction | null =>
      isStream(schema) ? { contract, from, schema: schema.item, codec, clock, turns } : null;
    return { input: one(input, "caller"), output: one(output, "handler") };
  };
  return {
    handler(contract: Contract, run: Served, options): Handler {
      if (typeof run !== "function") {
        throw new TypeError(`Cannot make handler "${contract.name}": it needs a function`);
      }
      const running = new Set<ServedCall>();
      const parts = { port, mux, contract, ...directions(contract), running };
      const handler = typedUnaryHandler(
        plainContract(contract),
        (context) => new ServedCall(parts, context as unknown as InboundCall).run(run),
        options,
      );
      const removed = (): void => running.forEach((call) => call.unregistered());
      return Object.freeze({ ...handler, removed });
    },
    method(caller: Caller, contract: Contract, options: MethodOptions) {
      const plain = plainContract(contract);
      const parts = { port, mux, caller, contract, plain, ...directions(contract) };
      const streamed = parts.input !== null;
      return (input: unknown, own?: MethodOwn | null) => {
        const all = options(streamed ? undefined : input, own, optionTable);
        return new CallHandle(
          new ClientCall(parts, all as ClientCallOptionsOf, streamed ? input ?? null : null),
        );
      };
    },
  };
}
