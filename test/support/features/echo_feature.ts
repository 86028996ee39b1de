/** A feature as small as one can be: a system handler, a flag that both ends agree on, and an option. */
import { option } from "../../../src/core/mod.ts";
import type { InstanceId } from "../../../src/mod.ts";
import type { MessengerFeature } from "../../../src/messenger/mod.ts";

/** Its option of a messenger. */
export interface EchoOptions {
  /** Stands before what is echoed. @default {""} */
  echoPrefix?: string | undefined;
}

/** What a messenger with it has. */
export interface Echo {
  /** Has a peer echo a text; null from one without the feature. */
  ask(peer: InstanceId, text: string): Promise<string | null>;
}

const flag = "echo-test";
const handler = "_echo_test";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const echoFeature: MessengerFeature<EchoOptions, Echo> = {
  flag,
  options: { echoPrefix: option.text },
  attach(port, { echoPrefix = "" }) {
    port.handle(handler, "unary", (message) => {
      if (!message.supports(flag)) throw new Error("both ends have to have it");
      return encoder.encode(echoPrefix + decoder.decode(message.lentPayload));
    });
    return {
      async ask(peer, text) {
        if (!port.supports(peer, flag)) return null;
        return decoder.decode(await port.call(handler, peer, encoder.encode(text), {}));
      },
    };
  },
};
