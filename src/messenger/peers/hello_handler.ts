import { errorText, Shares, ZeromeshError } from "../../core/mod.ts";
import { type Link, RefusalLog } from "../../transport/mod.ts";
import { decodeHello, encodeHelloReply, type Hello } from "../../wire/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import {
  admitByAddress,
  introduced,
  type IntroductionParts,
  meetByAddress,
  requireAddress,
} from "../velo/introductions.ts";
import { checkIdentity, IdTaken, type KeyBindings, rivalOf } from "./identity.ts";
import { sameId } from "./link_errors.ts";
import type { Peer, Session } from "./peer.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of a {@link HelloHandler}. */
export interface HelloHandlerParts extends IntroductionParts, SharedParts {
  /** The keys of ids. */
  readonly keys: KeyBindings;
  /** Whether the process behind a peer's connection still lives. */
  lives(peer: Peer, session: Session): Promise<boolean>;
  /** Starts batching on a link. */
  startBatching(link: Link<Session>): void;
  /** Names of this instance's handlers. */
  handlerNames(): string[];
  /** A peer can be called over the connection that it dialled. */
  up(peer: Peer): void;
}

// Each waits for its rival's answer, at most for the heartbeat bound.
const maxUndecided = 1_024;

/** Answers `_hello` of dialling instances. */
export class HelloHandler {
  readonly #parts: HelloHandlerParts;
  readonly #refusals: RefusalLog;
  /** Hellos that wait for the decision whether their id is taken. */
  readonly #undecided = new Shares<Session>(maxUndecided);

  /** @param parts Its parts. */
  constructor(parts: HelloHandlerParts) {
    this.#parts = parts;
    this.#refusals = new RefusalLog(parts.logger, parts.clock, parts.secure);
  }

  /** Answers `_hello`: the caller's id, its address, and the common features. A refusal is logged. */
  answer(call: InboundCall): Uint8Array | Promise<Uint8Array> {
    const refuse = (error: unknown): never => {
      this.#refusals.tell(errorText(error), {}, error instanceof ZeromeshError ? error.code : "_hello");
      throw error;
    };
    try {
      const answer = this.#answer(call);
      return answer instanceof Promise ? answer.catch(refuse) : answer;
    } catch (error) {
      return refuse(error);
    }
  }

  #answer(call: InboundCall): Uint8Array | Promise<Uint8Array> {
    const session = call.session;
    const hello = decodeHello(call.lentPayload);
    if (hello === null) {
      throw new ZeromeshError("PAYLOAD_INVALID", "Failed to deserialize input: no peer_info", {
        handler: "_hello",
      });
    }
    const id = hello.peerInfo.instanceId;
    // A refusal goes to the sender, which need not be the instance that it names.
    if (session.peer === null) session.negotiate(this.#parts.negotiation, hello.negotiation);
    // A zeromesh instance may repeat `_hello` without its negotiation.
    const ours = hello.negotiation !== null || session.dialect.ours;
    checkIdentity(session, id, hello.negotiation, ours);
    // An instance that dials itself is no peer; connect() learns it from the answer.
    if (id === this.#parts.instanceId) {
      if (this.#parts.transport.recognize(session.link.routingId)) return this.#helloReply();
      throw sameId("the one that was dialled", id);
    }
    if (!ours) requireAddress(hello.peerInfo);
    const peer = this.#parts.peers.meet(id);
    this.#parts.keys.bind(peer, session.link.peerKey);
    if (!ours) {
      admitByAddress(this.#parts, peer, session, hello.peerInfo);
      return this.#helloReply();
    }
    const rival = rivalOf(peer, session);
    if (rival !== null) return this.#unlessTaken(peer, session, hello, rival);
    return this.#admit(peer, session, hello);
  }

  /** Handles another process with the same id, perhaps an earlier one whose loss is not known yet. */
  async #unlessTaken(peer: Peer, session: Session, hello: Hello, first: Session): Promise<Uint8Array> {
    if (!this.#undecided.take(session)) {
      const why = "Too many instances whose ids may be taken want to connect; try again later";
      throw new ZeromeshError("OVERLOADED", why, { handler: "_hello" });
    }
    try {
      for (let rival: Session | null = first; rival !== null; rival = rivalOf(peer, session)) {
        if (!await this.#parts.lives(peer, rival)) continue;
        this.#parts.duplicated(peer, "another process with this id wanted to connect, and was refused");
        throw new IdTaken(peer, rival, "the one that says hello now");
      }
    } finally {
      this.#undecided.give(session);
    }
    // A connection that ended meanwhile needs no answer.
    if (session.link.state !== "open") throw new Error("The connection has ended");
    return this.#admit(this.#parts.peers.meet(peer.instanceId), session, hello);
  }

  #admit(peer: Peer, session: Session, hello: Hello): Uint8Array {
    const { negotiation, peers } = this.#parts;
    peers.learn(peer, hello.peerInfo);
    session.negotiate(negotiation, hello.negotiation);
    session.peer = peer;
    if (peer.meet(session)) this.#parts.duplicated(peer, "two processes with this id connect in turns");
    if (session.sameConnection) {
      peer.accept(session);
      this.#parts.up(peer);
    } else introduced(session, peer);
    if (session.batch && session.sameConnection) this.#parts.startBatching(session.link);
    return this.#helloReply();
  }

  /** Learns from a refused `_hello` how to answer its sender. */
  meet(call: InboundCall): void {
    const hello = decodeHello(call.lentPayload);
    if (hello === null) return;
    call.session.negotiate(this.#parts.negotiation, hello.negotiation);
    if (hello.negotiation === null) meetByAddress(this.#parts, call.session, hello.peerInfo);
  }

  #helloReply(): Uint8Array {
    return encodeHelloReply({
      handlers: this.#parts.handlerNames(),
      negotiation: this.#parts.negotiation,
    });
  }
}
