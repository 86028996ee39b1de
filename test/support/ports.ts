import { type AddressInfo, createServer } from "node:net";

/**
 * A TCP port of 127.0.0.1 that nothing listens on right now.
 *
 * Somebody else may take it before the caller does; where that matters bind to port 0 instead. This is for
 * tests that need to know a port before anything listens on it, or that nobody does.
 */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  await new Promise<void>((resolve, reject) => server.close((error) => error ? reject(error) : resolve()));
  return port;
}

/** A TCP port that is in use for as long as the result is not disposed of. */
export async function occupiedPort(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => socket.destroy());
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The port at the end of `tcp://host:port`. */
export function portOf(endpoint: string): number {
  const match = /:(\d+)$/.exec(endpoint);
  if (match === null) throw new TypeError(`Cannot find a port in ${JSON.stringify(endpoint)}`);
  return Number(match[1]);
}
