/** What takes options in streams. */
import { z } from "zod";
import { streams } from "../../src/streams/mod.ts";
import { type OptionEntry, wait, waits } from "./option_scene.ts";

/** What anchors and their senders take. */
export const streamEntries: readonly OptionEntry[] = [
  {
    name: "Streams.anchor",
    options: ["schema", "senders", "maxSenders", "unattachedTimeoutMs", "heartbeatMs"],
    needs: () => ({ schema: z.number() }),
    durations: ["unattachedTimeoutMs"],
    call: ({ client }, options) => streams(client).anchor(options).cancel(),
  },
  {
    name: "Streams.attach",
    options: ["schema", "ticket", ...wait],
    needs: ({ server }) => {
      const anchor = streams(server).anchor();
      const ticket = anchor.ticket();
      anchor.cancel();
      return { schema: z.number(), ticket };
    },
    ...waits,
    call: async ({ client, server }, options) => {
      const anchor = streams(server).anchor();
      try {
        (await streams(client).attach(anchor.handle, options)).close();
      } finally {
        anchor.cancel();
      }
    },
  },
  {
    name: "Streams.renew",
    options: wait,
    ...waits,
    call: async ({ client, server }, options) => {
      const anchor = streams(server).anchor();
      try {
        await streams(client).renew([{ handle: anchor.handle }], options);
      } finally {
        anchor.cancel();
      }
    },
  },
  {
    name: "Anchor.ticket",
    options: ["timeoutMs"],
    durations: ["timeoutMs"],
    call: ({ client }, options) => {
      const anchor = streams(client).anchor();
      try {
        anchor.ticket(options);
      } finally {
        anchor.cancel();
      }
    },
  },
  ...(["send", "sendError"] as const).map((method): OptionEntry => ({
    name: `StreamSender.${method}`,
    options: wait,
    ...waits,
    call: async ({ client }, options) => {
      const anchor = streams(client).anchor();
      const sender = await streams(client).attach(anchor.handle);
      try {
        await sender[method]("item", options);
      } finally {
        anchor.cancel();
      }
    },
  })),
];
