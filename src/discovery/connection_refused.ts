import { connect } from "node:net";
import { type Clock, hold } from "../core/mod.ts";

const probeMs = 1_000;

/**
 * Whether a connection to this endpoint is refused. A connection attempt without an answer does not count, nor does an
 * endpoint that cannot be tried from here.
 */
export async function connectionRefused(endpoint: string, clock: Clock): Promise<boolean> {
  const tcp = /^tcp:\/\/\[?([^\]]+?)\]?:(\d+)$/.exec(endpoint);
  const ipc = /^ipc:\/\/([^@].*)$/.exec(endpoint);
  if (tcp === null && ipc === null) return false;
  const socket = connect(tcp === null ? { path: ipc![1]! } : { host: tcp[1]!, port: Number(tcp[2]) });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(false));
  socket.once("error", (error: { code?: string }) => {
    resolve(error.code === "ECONNREFUSED" || (ipc !== null && error.code === "ENOENT"));
  });
  return await hold(promise, { clock, timeoutMs: probeMs }).catch(() => false).finally(() =>
    socket.destroy()
  );
}
