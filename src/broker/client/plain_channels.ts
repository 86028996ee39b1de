import { Backoff } from "../../core/mod.ts";
import { ChannelHandle } from "../channels/mod.ts";
import type { ChannelContract } from "../contract.ts";
import { PlainConsumer, PlainProducer, type PlainRoute } from "../plain/mod.ts";
import { agreementOf } from "../schema_agreement.ts";
import type { BrokerConnection } from "./connection.ts";
import type { ConnectChannelOptions, CreateChannelOptions } from "./options.ts";
import { ProducerChannel } from "./producer_channel.ts";
import { type ConsumerEntry, ProducerEntry } from "./registrations.ts";

/** A channel that this process produces, and its registration, which has not begun. */
export interface ProducedChannel<Contract extends ChannelContract> {
  readonly handle: ChannelHandle<Contract, "producer">;
  readonly entry: ProducerEntry;
}

/**
 * Begins to produce a channel: over streams of messengers, or over sockets of ZeroMQ.
 *
 * @param options Checked already.
 * @throws {ZeromeshError} `ADDRESS_IN_USE` or `ENDPOINT_INVALID`, for sockets.
 */
export async function producedChannel<Contract extends ChannelContract>(
  connection: BrokerConnection,
  contract: Contract,
  options: CreateChannelOptions,
): Promise<ProducedChannel<Contract>> {
  const { plain = false, ...streams } = options;
  if (plain === false) return new ProducerChannel(connection, contract, streams);
  const { metadata = null, sharedMemory = null, ...sending } = streams;
  const run = await PlainProducer.open({
    port: connection.port,
    contract,
    options: sending,
    plain: plain === true ? {} : plain,
    sharedMemory,
    left: () => entry.drop(),
  });
  const { route } = run;
  const { name, pattern } = contract;
  const entry: ProducerEntry = new ProducerEntry(
    connection,
    name,
    { pattern, schema: agreementOf(contract), metadata, sharedMemory, route },
    {
      ended: (reason) => run.invalidate(reason.message, reason),
      noticed(notice) {
        if (notice.type === "consumerJoined") run.joined(notice.consumer);
        else if (notice.type === "consumerLeft" || notice.type === "consumerDied") {
          run.gone(notice.consumer.presence, notice.type === "consumerDied");
        }
      },
    },
    new Backoff(),
  );
  // One that was invalidated is not taken back, and its heartbeats end.
  void run.closed.then(() => entry.abandon());
  return { entry, handle: new ChannelHandle<Contract, "producer">(run) };
}

/** Begins to consume a channel of plain data, which is registered. @param options Checked already. */
export function plainConsumer(
  connection: BrokerConnection,
  contract: ChannelContract,
  entry: ConsumerEntry,
  route: PlainRoute,
  { signal: _, timeoutMs: __, keys, ...options }: ConnectChannelOptions,
): Promise<PlainConsumer> {
  return PlainConsumer.open({
    port: connection.port,
    contract,
    options,
    sharedMemory: entry.view?.sharedMemory ?? null,
    route,
    presence: entry.lastPresence,
    keys,
    left: () => entry.drop(),
  });
}
