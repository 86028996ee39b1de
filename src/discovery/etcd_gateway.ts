import { request as requestHttp } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { errorText, hold, onAbort, type Timed, ZeromeshError } from "../core/mod.ts";

/**
 * Certificates for TLS, as PEM text. An untrusted server, and one that refuses the client's certificate, is
 * `PEER_UNREACHABLE`. On Deno only `--allow-net` for the servers is needed.
 */
export interface EtcdTls {
  /** Trusted certificate authorities. @default {the runtime's own list} */
  ca?: string | undefined;
  /**
   * The client's certificate, if etcd requires one (`--client-cert-auth`). Combined with `auth` it must have no common
   * name: etcd's gateway refuses that with `FORBIDDEN`.
   */
  cert?: string | undefined;
  /** The client's key. */
  key?: string | undefined;
  /** The name in the servers' certificates, if it is not their host name. */
  serverName?: string | undefined;
}

/** Options of an {@link EtcdGateway}. */
export interface EtcdGatewayOptions extends Timed {
  /** Client URLs of the servers, tried in turn. */
  readonly endpoints: readonly string[];
  /** User and password, if etcd requires them. */
  readonly auth: { readonly username: string; readonly password: string } | null;
  /** TLS, for `https://` endpoints. */
  readonly tls: EtcdTls;
  /** Timeout of one request in milliseconds. */
  readonly timeoutMs: number;
}

/** The messages of a streamed answer; returning from it ends the request. */
export type EtcdStream = AsyncIterableIterator<Record<string, unknown>>;

const maxAnswerBytes = 64 * 1024 * 1024;

/** etcd's JSON gateway: its gRPC API as JSON over HTTP, for which both runtimes have a client. */
export class EtcdGateway {
  readonly #options: EtcdGatewayOptions;
  #current = 0;
  #token: Promise<string> | null = null;

  constructor(options: EtcdGatewayOptions) {
    this.#options = options;
  }

  /**
   * Sends one request, to each server in turn until one answers.
   *
   * @param path A path such as `/v3/kv/range`.
   * @throws {ZeromeshError} `PEER_UNREACHABLE` when no server answers, `FORBIDDEN` when etcd refuses the user,
   * `REMOTE_ERROR` with other errors of etcd.
   */
  async call(path: string, body: unknown, signal?: AbortSignal): Promise<Record<string, unknown>> {
    return await this.#withServers(async (endpoint) => {
      const response = await this.#open(endpoint, path, body, signal, this.#options.timeoutMs);
      const text = await this.#whole(response);
      const answer = parseObject(text);
      if (answer !== null && response.statusCode === 200) return answer;
      throw this.#refusal(path, response.statusCode ?? 0, answer, text);
    }, signal);
  }

  /** Opens a streamed answer, such as a watch. Waits for the first message, within the timeout of a request. */
  async stream(path: string, body: unknown, signal: AbortSignal): Promise<EtcdStream> {
    return await this.#withServers(async (endpoint) => {
      const response = await this.#open(endpoint, path, body, signal, this.#options.timeoutMs);
      if (response.statusCode === 200) {
        // An idle watch does not keep the process alive.
        response.socket?.unref();
        return messagesOf(response);
      }
      const text = await this.#whole(response);
      throw this.#refusal(path, response.statusCode ?? 0, parseObject(text), text);
    }, signal);
  }

  /** A complete answer, within the timeout of a request: a server that stalls during it is skipped. */
  async #whole(response: IncomingMessage): Promise<string> {
    const { timeoutMs, clock } = this.#options;
    const late = (): Error => {
      response.destroy();
      return new Error(`the answer was not complete within ${timeoutMs} ms`);
    };
    return await hold(readAll(response), { clock, timeoutMs, late });
  }

  async #withServers<T>(use: (endpoint: string) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const { endpoints } = this.#options;
    let renewed = false;
    let last: unknown;
    for (let tried = 0; tried < endpoints.length;) {
      const endpoint = endpoints[this.#current % endpoints.length]!;
      try {
        return await use(endpoint);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof TokenExpired && !renewed) {
          renewed = true;
          this.#token = null;
          continue;
        }
        if (error instanceof ZeromeshError) throw error;
        last = error;
        tried++;
        this.#current++;
      }
    }
    throw new ZeromeshError(
      "PEER_UNREACHABLE",
      `No etcd server answers at ${endpoints.join(" or ")}: ${errorText(last)}`,
      { cause: last, peer: endpoints.join(",") },
    );
  }

  async #open(
    endpoint: string,
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<IncomingMessage> {
    const token = this.#options.auth === null ? null : await this.#authenticate(endpoint);
    return await this.#request(endpoint, path, body, token, signal, timeoutMs);
  }

  #authenticate(endpoint: string): Promise<string> {
    if (this.#token !== null) return this.#token;
    const { username: name, password } = this.#options.auth!;
    const token = (async () => {
      const path = "/v3/auth/authenticate";
      const response = await this.#request(
        endpoint,
        path,
        { name, password },
        null,
        undefined,
        this.#options.timeoutMs,
      );
      const text = await this.#whole(response);
      const answer = parseObject(text);
      if (response.statusCode === 200 && typeof answer?.["token"] === "string") return answer["token"];
      throw this.#refusal(path, response.statusCode ?? 0, answer, text);
    })();
    this.#token = token;
    token.catch(() => {
      if (this.#token === token) this.#token = null;
    });
    return token;
  }

  #request(
    endpoint: string,
    path: string,
    body: unknown,
    token: string | null,
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<IncomingMessage> {
    const { tls, clock } = this.#options;
    const payload = new TextEncoder().encode(JSON.stringify(body));
    const url = new URL(path, endpoint);
    const headers: Record<string, string> = {
      "content-type": "application/json",
      "content-length": String(payload.length),
      ...(token === null ? {} : { authorization: token }),
    };
    return new Promise((resolve, reject) => {
      const answered = (response: IncomingMessage): void => {
        response.once("close", () => listening[Symbol.dispose]());
        // A streamed answer has no timeout once it has begun; its reader sees the end.
        cancel();
        resolve(response);
      };
      // No connections are kept between requests.
      const options = { method: "POST", headers, agent: false as const };
      const request: ClientRequest = url.protocol === "https:"
        ? requestHttps(url, { ...options, ...tlsOptions(tls) }, answered)
        : requestHttp(url, options, answered);
      const cancel = clock.after(timeoutMs, () => {
        request.destroy();
        reject(new Error(`${endpoint} did not answer within ${timeoutMs} ms`));
      });
      request.on("error", (error) => {
        cancel();
        listening[Symbol.dispose]();
        reject(error);
      });
      const listening = onAbort(signal, () => {
        request.destroy();
        reject(signal?.reason);
      });
      request.end(payload);
    });
  }

  #refusal(path: string, status: number, answer: Record<string, unknown> | null, text: string): Error {
    const message = String(answer?.["message"] ?? answer?.["error"] ?? text).slice(0, 500);
    // Codes of etcd: 16 is an invalid or expired token, 7 a missing permission.
    const code = answer?.["code"];
    if (/invalid auth token/.test(message)) return new TokenExpired(message);
    if (status === 503 || code === 14 || /leader|not ready|unavailable/i.test(message)) {
      return new Error(message);
    }
    if (/CommonName of client/.test(message)) {
      return new ZeromeshError(
        "FORBIDDEN",
        "etcd's gateway refuses users together with a client certificate that has a common name; give tls.cert a certificate " +
          `without one: ${message}`,
        { details: { status, code } },
      );
    }
    const forbidden = status === 401 || status === 403 || code === 7 || code === 16 ||
      /authentication failed|permission denied|user name is empty/.test(message);
    return new ZeromeshError(
      forbidden ? "FORBIDDEN" : "REMOTE_ERROR",
      `etcd refuses ${path}: ${message}`,
      { details: { status, code } },
    );
  }
}

class TokenExpired extends Error {}

function tlsOptions(tls: EtcdTls): Record<string, string> {
  const options: Record<string, string> = {};
  for (const name of ["ca", "cert", "key"] as const) if (tls[name] !== undefined) options[name] = tls[name];
  if (tls.serverName !== undefined) options["servername"] = tls.serverName;
  return options;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > maxAnswerBytes) throw new Error(`the answer has more than ${maxAnswerBytes} bytes`);
    parts.push(part);
  }
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}

/** Parses one JSON object per line, each in `result` or `error`. */
async function* messagesOf(response: IncomingMessage): EtcdStream {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const part of response as AsyncIterable<Uint8Array>) {
      rest += decoder.decode(part, { stream: true });
      if (rest.length > maxAnswerBytes) throw new Error("a message of the stream is too long");
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.trim() === "") continue;
        const result = parseObject(line)?.["result"];
        if (typeof result !== "object" || result === null) throw new Error(`etcd ends the stream: ${line}`);
        yield result as Record<string, unknown>;
      }
    }
  } finally {
    response.destroy();
  }
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : null;
  } catch {
    return null;
  }
}
