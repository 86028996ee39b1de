import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type Ending,
  EndOf,
  errorText,
  option,
  type OptionTable,
  readOptions,
  withDefaults,
  ZeromeshError,
} from "../core/mod.ts";

/** Options of the metrics server. */
export interface ServeOptions {
  /** The address to listen on; `0.0.0.0` for scrapers on other hosts. @default {"127.0.0.1"} */
  hostname?: string | undefined;
  /** The port; 0 for a free one. @default {9464} */
  port?: number | undefined;
  /** The path. @default {"/metrics"} */
  path?: string | undefined;
}

const optionTable = {
  hostname: option.text.or("127.0.0.1"),
  port: option.whole(0, 65_535).or(9464),
  path: option.kind(
    'a string that starts with "/"',
    (value) => typeof value === "string" && value.startsWith("/"),
  ).or("/metrics"),
} satisfies OptionTable<ServeOptions>;

/** The source of the served text. */
export interface TextSource {
  /** The current text. */
  text(): Promise<string>;
  /** Its content type. */
  readonly contentType: string;
}

/** An HTTP server of metrics. It does not keep the process alive. */
export interface MetricsServer extends AsyncDisposable {
  /** The URL to scrape. */
  readonly url: string;
  /** Stops the server and ends open connections. A second call returns the first promise. */
  close(): Promise<void>;
  /** Resolves when the server has ended, and never rejects: to `"closed"`, or to its error. */
  readonly closed: Promise<Ending>;
}

/** Serves a text over HTTP. */
export async function serveMetrics(source: TextSource, options?: ServeOptions): Promise<MetricsServer> {
  const read = readOptions(options, optionTable, "Cannot serve metrics");
  const { hostname, port, path } = withDefaults(read, optionTable);
  const server = createServer((request, response) => void answer(source, path, request, response));
  await listening(server, hostname, port);
  server.unref();
  const bound = (server.address() as AddressInfo).port;
  let closing: Promise<void> | null = null;
  const end = new EndOf();
  server.once("error", (error) => end.tell(error));
  const close = (): Promise<void> =>
    closing ??= end.follow(
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    );
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return { url: `http://${host}:${bound}${path}`, close, closed: end.closed, [Symbol.asyncDispose]: close };
}

async function answer(
  source: TextSource,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const end = (status: number, type: string, text: string): void => {
    response.writeHead(status, { "content-type": type }).end(request.method === "HEAD" ? undefined : text);
  };
  const plain = "text/plain; charset=utf-8";
  if (request.url?.split("?", 1)[0] !== path) return end(404, plain, `There is only ${path} here\n`);
  if (request.method !== "GET" && request.method !== "HEAD") return end(405, plain, "Use GET\n");
  try {
    end(200, source.contentType, await source.text());
  } catch (error) {
    end(500, plain, `${errorText(error)}\n`);
  }
}

async function listening(server: Server, hostname: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // Deno throws synchronously if listening is not permitted.
      server.listen(port, hostname, resolve);
    });
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE" || /in use/i.test(errorText(error));
    throw new ZeromeshError(
      taken ? "ADDRESS_IN_USE" : "ENDPOINT_INVALID",
      `Cannot serve metrics on ${hostname}:${port}: ${errorText(error)}`,
      { cause: error },
    );
  }
}
