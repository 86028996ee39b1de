import type { CallSubject, PeerConnection, SystemMessage, SystemPort } from "../../messenger/mod.ts";

/**
 * Asks the messenger's `authorize` about messages for actors, and keeps their order: of one connection's messages for one
 * actor, each is delivered after the ones before it. The messages wait within the messenger's limits of running handlers.
 */
export class AuthorizedOrder {
  readonly #port: SystemPort;
  readonly #last = new WeakMap<PeerConnection, Map<string, Promise<unknown>>>();

  constructor(port: SystemPort) {
    this.#port = port;
  }

  /**
   * Delivers a message once it is authorized and the ones before it are delivered.
   *
   * @param deliver May return a promise, for which later messages do not wait.
   * @throws {ZeromeshError} `FORBIDDEN`.
   */
  async add(
    message: SystemMessage,
    target: string,
    subject: CallSubject,
    deliver: () => unknown,
  ): Promise<unknown> {
    const { session } = message;
    let last = this.#last.get(session);
    if (last === undefined) this.#last.set(session, last = new Map());
    const allowed = this.#port.authorize(message, subject);
    const turn = Promise.allSettled([last.get(target), allowed]);
    last.set(target, turn);
    await turn;
    if (last.get(target) === turn) last.delete(target);
    await allowed;
    // Not awaited here: an ask lasts as long as its handler.
    return await deliver();
  }
}
