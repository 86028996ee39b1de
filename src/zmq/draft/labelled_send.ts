import { checkCount } from "../arguments.ts";
import { partsOf } from "../messages.ts";
import { type Socket, socketCore } from "../socket.ts";

/** Gives a class a `send` whose options become the label of the message: its last part. */
export function addLabelledSend(
  { prototype }: { readonly prototype: Socket },
  labelOf: (options: object) => Uint8Array,
): void {
  Object.defineProperty(prototype, "send", {
    configurable: true,
    writable: true,
    value: function send(this: Socket, message: unknown, options: unknown): Promise<void> {
      if (message === undefined) throw new TypeError("Message must be present");
      if (typeof options !== "object" || options === null) throw new TypeError("Options must be an object");
      checkCount(arguments, 2);
      const label = labelOf(options);
      let parts: Uint8Array[];
      try {
        parts = partsOf(message);
      } catch (error) {
        return Promise.reject(error);
      }
      return socketCore(this).send(this, [...parts, label]);
    },
  });
}
