import { Backoff } from "../../core/mod.ts";
import { agreementOf } from "../schema_agreement.ts";
import type { BrokerConnection } from "./connection.ts";
import type { RegisterConsumerOptions, RegisterProducerOptions } from "./options.ts";
import { ConsumerEntry, ProducerEntry } from "./registrations.ts";
import { type NamedChannel, peerOf, routeOf } from "./terms.ts";

/** The registration of a producer of data that does not go through this library. @param options Checked already. */
export function producerEntry(
  connection: BrokerConnection,
  { name, contract }: NamedChannel,
  options: RegisterProducerOptions,
  ended: () => void,
): ProducerEntry {
  const { metadata = null, sharedMemory = null, pattern, schemaHash, schemaVersion = "1" } = options;
  const schema = contract === null
    ? { hash: schemaHash ?? null, text: null, version: schemaVersion }
    : agreementOf(contract);
  const terms = {
    pattern: contract?.pattern ?? pattern ?? "pipeline",
    schema,
    metadata,
    sharedMemory,
    route: routeOf(connection.messenger),
  };
  return new ProducerEntry(connection, name, terms, { ended }, new Backoff());
}

/** The registration of a consumer of such data. @param options Checked already. */
export function consumerEntry(
  connection: BrokerConnection,
  { name, contract }: NamedChannel,
  { schemaHash }: RegisterConsumerOptions,
  ended: () => void,
): ConsumerEntry {
  const { hash, version } = contract === null
    ? { hash: schemaHash ?? null, version: "1" }
    : agreementOf(contract);
  const terms = {
    pattern: contract?.pattern ?? null,
    transport: null,
    schema: { hash, version },
    peer: peerOf(connection.messenger),
  };
  return new ConsumerEntry(connection, name, terms, { ended }, new Backoff());
}
