import { Backoff, ZeromeshError } from "../../core/mod.ts";
import { type ChannelHandle, type ConsumerClaim, produce } from "../channels/mod.ts";
import type { ChannelContract } from "../contract.ts";
import type { PeerOfClient } from "../protocol/channel_view.ts";
import type { BrokerNotice } from "../protocol/notices.ts";
import { agreementOf } from "../schema_agreement.ts";
import type { BrokerConnection } from "./connection.ts";
import type { CreateChannelOptions } from "./options.ts";
import { ProducerEntry } from "./registrations.ts";
import { routeOf } from "./terms.ts";

/** How long, in milliseconds, a consumer is dialled. */
const dialMs = 2_000;

/** A channel that this process produces, and its registration. */
export class ProducerChannel<Contract extends ChannelContract> {
  readonly handle: ChannelHandle<Contract, "producer">;
  readonly entry: ProducerEntry;
  readonly #connection: BrokerConnection;
  /** The instances of the consumers that the broker has told of, by presence. */
  readonly #consumers = new Map<number, string>();

  /** @param options Checked already. */
  constructor(connection: BrokerConnection, contract: Contract, options: CreateChannelOptions) {
    this.#connection = connection;
    const { metadata = null, sharedMemory = null, ...sending } = options;
    const { port, messenger } = connection;
    // Consumers find it before the broker names it.
    const { handle, run } = produce({
      port,
      contract,
      options: sending,
      sharedMemory,
      admits: (claim) => this.#admits(claim),
      left: () => this.entry.drop(),
    });
    this.handle = handle;
    this.entry = new ProducerEntry(
      connection,
      contract.name,
      {
        pattern: contract.pattern,
        schema: agreementOf(contract),
        metadata,
        sharedMemory,
        route: routeOf(messenger),
      },
      {
        ended: (reason) => run.invalidate(reason.message, reason),
        noticed: (notice) => {
          this.#heard(notice);
          if (notice.type === "consumerJoined") run.told(notice.consumer.presence, notice.consumer.name);
          else if (notice.type === "consumerLeft" || notice.type === "consumerDied") {
            run.gone(notice.consumer.presence, notice.type === "consumerDied");
          }
        },
      },
      new Backoff(),
    );
    // One that was invalidated is not taken back, and its heartbeats end.
    void run.closed.then(() => this.entry.abandon());
  }

  #heard(notice: BrokerNotice): void {
    if (notice.type === "consumerJoined") {
      const { presence, instance, peer } = notice.consumer;
      this.#consumers.set(presence, instance);
      if (peer !== null) this.#dial(peer);
    } else if (notice.type === "consumerLeft" || notice.type === "consumerDied") {
      this.#consumers.delete(notice.consumer.presence);
    }
  }

  /** A consumer cannot dial a producer that does not listen, so that it is dialled, and opens the channel by that connection. */
  #dial(peer: PeerOfClient): void {
    const { messenger, port } = this.#connection;
    if (messenger.endpoints.length > 0 || port.isUp(peer.instance_id)) return;
    try {
      messenger.registerPeer(peer);
    } catch {
      return; // The broker relays.
    }
    port.reach(peer.instance_id, dialMs).catch(() => {});
  }

  /** Whether the broker has named a consumer. Without a broker those of before count, whose numbers were others. */
  async #admits({ consumer, instance }: ConsumerClaim): Promise<boolean> {
    const { broker } = this.#connection;
    // For whom it relays, it knows itself.
    if (this.#consumers.get(consumer) === instance || broker?.instance === instance) return true;
    const { presence } = this.entry;
    if (broker === null || presence === null) return [...this.#consumers.values()].includes(instance);
    try {
      const { channel } = this.entry;
      return (await this.#connection.request("admits", { channel, presence, consumer, instance })).admitted;
    } catch (error) {
      if (error instanceof ZeromeshError) return [...this.#consumers.values()].includes(instance);
      throw error;
    }
  }
}
