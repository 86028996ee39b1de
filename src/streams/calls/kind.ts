import { type Contract, isStream, option, type OptionTable, type StreamCallOptions } from "../../core/mod.ts";
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
import { ClientCall } from "./client_call.ts";
import { plainContract } from "./plain_contract.ts";
import { ServedCall } from "./served_call.ts";

type MethodOwn = ClientCallOptions & StreamCallOptions;

const optionTable: OptionTable<MethodOwn> = { ...methodOptionTable, idleTimeoutMs: option.timeout };

/** How contracts with a stream are handled and called. */
export function streamContracts(port: SystemPort, mux: StreamMux): ContractKind {
  return {
    handler(contract: Contract, run: Served, options): Handler {
      const running = new Set<ServedCall>();
      const parts = { port, mux, contract };
      const handler = typedUnaryHandler(plainContract(contract), async (context) => {
        const call = new ServedCall(parts, context as unknown as InboundCall);
        running.add(call);
        try {
          return await call.run(run);
        } finally {
          running.delete(call);
        }
      }, options);
      const removed = (): void => running.forEach((call) => call.unregistered());
      return Object.freeze({ ...handler, removed });
    },
    method(caller: Caller, contract: Contract, options: MethodOptions) {
      const plain = plainContract(contract);
      const streamed = isStream(contract.input);
      return (input: unknown, own?: MethodOwn | null) => {
        const payload = streamed ? undefined : input;
        const { idleTimeoutMs = Infinity, ...call } = options(payload, own, optionTable);
        const source = streamed ? input ?? null : null;
        return new ClientCall({
          port,
          mux,
          caller,
          contract,
          plain,
          options: call as never,
          idleTimeoutMs,
          source,
        });
      };
    },
  };
}
