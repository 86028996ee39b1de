import { connect } from "node:net";
import type { Clock } from "../core/mod.ts";

const probeMs = 1_000;

/**
 * Whether a connection to this endpoint is refused. A connection attempt without an answer does not count, nor does an
 * endpoint that cannot be tried from here.
 */
export function connectionRefused(endpoint: string, clock: Clock): Promise<boolean> {
  const tcp = /^tcp:\/\/\[?([^\]]+?)\]?:(\d+)$/.exec(endpoint);
  const ipc = /^ipc:\/\/([^@].*)$/.exec(endpoint);
  if (tcp === null && ipc === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = tcp === null
      ? connect({ path: ipc![1]! })
      : connect({ host: tcp[1]!, port: Number(tcp[2]) });
    const end = (refused: boolean): void => {
      cancel();
      socket.destroy();
      resolve(refused);
    };
    const cancel = clock.after(probeMs, () => end(false));
    socket.once("connect", () => end(false));
    socket.once("error", (error: { code?: string }) => {
      end(error.code === "ECONNREFUSED" || (ipc !== null && error.code === "ENOENT"));
    });
  });
}
