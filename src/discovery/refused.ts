import { connect } from "node:net";
import type { Clock } from "../core/mod.ts";

const probeMs = 1_000;

/**
 * Whether nobody listens at an endpoint of this kind any more. A connection that is merely not answered, and an
 * endpoint that cannot be tried from here, count as somebody.
 */
export function refuses(endpoint: string, clock: Clock): Promise<boolean> {
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
