/** A small feature: a system handler, a flag that both ends agree on, an option and a counter. */
import { numbersOf, option } from "../../../src/core/mod.ts";
import type { InstanceId } from "../../../src/mod.ts";
import type { AttachedFeature, MessengerFeature } from "../../../src/messenger/mod.ts";

/** The option of a messenger for this feature. */
export interface EchoOptions {
  /** A text before each echo. @default {""} */
  echoPrefix?: string | undefined;
}

/** The counters of this feature. */
export interface EchoStats {
  /** Texts that peers had echoed here. */
  readonly echoed: number;
}

/** The part that a messenger with this feature has. */
export interface Echo extends AttachedFeature {
  /** Asks a peer to echo a text; resolves to null if the peer lacks the feature. */
  ask(peer: InstanceId, text: string): Promise<string | null>;
  stats(): EchoStats;
}

const name = "echo-test";
const handler = "_echo_test";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const echoFeature: MessengerFeature<typeof name, EchoOptions, Echo> = {
  name,
  options: { echoPrefix: option.text },
  metrics: numbersOf((stats: EchoStats) => stats, "echo_test_", {
    echoed: ["counter", "texts", "Texts that peers had echoed here."],
  }),
  attach(port, { echoPrefix = "" }) {
    let echoed = 0;
    port.handle(handler, "unary", (message) => {
      if (!message.supports(name)) throw new Error("both ends have to have it");
      echoed++;
      return encoder.encode(echoPrefix + decoder.decode(message.lentPayload));
    });
    return {
      stats: () => ({ echoed }),
      async ask(peer, text) {
        if (!port.supports(peer, name)) return null;
        return decoder.decode(await port.call(handler, peer, encoder.encode(text), {}));
      },
    };
  },
};
