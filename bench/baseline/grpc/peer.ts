/** `@grpc/grpc-js` on Node: a unary method whose request and answer are plain bytes. */
import { createRequire } from "node:module";
import { runClient, runServer } from "../../peer/measure.ts";
import { Arguments } from "../../peer/protocol.ts";

// The used part of the package. It is installed on demand, so its own types may be absent.
interface Server {
  addService(definition: object, handlers: Record<string, Handler>): void;
  bindAsync(
    address: string,
    credentials: unknown,
    done: (error: Error | null, port: number) => void,
  ): void;
}
type Answer = (error: Error | null, answer?: Uint8Array) => void;
type Handler = (call: { readonly request: Uint8Array }, answer: Answer) => void;

interface Client {
  echo(payload: Uint8Array, answer: Answer): void;
  close(): void;
}

interface Grpc {
  readonly Server: new (options: Record<string, number>) => Server;
  readonly ServerCredentials: { createInsecure(): unknown };
  readonly credentials: { createInsecure(): unknown };
  makeGenericClientConstructor(
    definition: object,
    name: string,
  ): new (address: string, credentials: unknown, options: Record<string, number>) => Client;
}

const args = new Arguments();
const require = createRequire(args.text("packages"));
const grpc = require("@grpc/grpc-js") as Grpc;
const { version } = require("@grpc/grpc-js/package.json") as { version: string };
const bytes = (value: Uint8Array): Uint8Array => value;
const asBuffer = (value: Uint8Array): Buffer => Buffer.from(value.buffer, value.byteOffset, value.length);
const definition = {
  echo: {
    path: "/bench.Echo/Echo",
    requestStream: false,
    responseStream: false,
    requestSerialize: asBuffer,
    requestDeserialize: bytes,
    responseSerialize: asBuffer,
    responseDeserialize: bytes,
  },
};
const limits = {
  "grpc.max_receive_message_length": 2 ** 24,
  "grpc.max_send_message_length": 2 ** 24,
};

if (args.text("role") === "server") {
  await runServer(async () => {
    const server = new grpc.Server(limits);
    server.addService(definition, { echo: ({ request }, answer) => answer(null, request) });
    const port = await new Promise<number>((resolve, reject) => {
      const insecure = grpc.ServerCredentials.createInsecure();
      server.bindAsync(
        "127.0.0.1:0",
        insecure,
        (error, bound) => error === null ? resolve(bound) : reject(error),
      );
    });
    return { endpoints: [`127.0.0.1:${port}`], library: version };
  });
} else {
  await runClient(() => {
    const Echo = grpc.makeGenericClientConstructor(definition, "Echo");
    const client = new Echo(args.text("endpoints"), grpc.credentials.createInsecure(), limits);
    return Promise.resolve({
      call: (payload: Uint8Array) =>
        new Promise<Uint8Array>((resolve, reject) => {
          client.echo(payload, (error, answer) => answer === undefined ? reject(error) : resolve(answer));
        }),
      sizeOf: (answer: Uint8Array) => answer.length,
      close: () => Promise.resolve(client.close()),
    });
  });
}
