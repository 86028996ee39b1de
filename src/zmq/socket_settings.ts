import { SocketOption } from "../libzmq/mod.ts";
import type { OptionSpec } from "./option_table.ts";

/** Kinds of names of GSSAPI principals. */
export type GssapiNameType = "hostBased" | "userName" | "krb5Principal";

/** The settings of every socket, which are properties of it. */
export interface SocketSettings {
  /**
   * Bit mask of the context's I/O threads that serve new connections; 0 for all. Numbers above 2^53 − 1 are not
   * exact. (`ZMQ_AFFINITY`)
   *
   * @default {0}
   */
  affinity: number;
  /** The most connections that wait to be accepted. (`ZMQ_BACKLOG`) @default {100} */
  backlog: number;
  /**
   * Longest time of a connection attempt, in ms; 0 leaves it to the system. (`ZMQ_CONNECT_TIMEOUT`)
   *
   * @default {0}
   */
  connectTimeout: number;
  /** CURVE: the public key of this client, as Z85 text. (`ZMQ_CURVE_PUBLICKEY`) @default {null} */
  curvePublicKey: string | null;
  /** CURVE: the secret key of this client or server, as Z85 text. (`ZMQ_CURVE_SECRETKEY`) @default {null} */
  curveSecretKey: string | null;
  /** CURVE: whether this socket is the server. (`ZMQ_CURVE_SERVER`) @default {false} */
  curveServer: boolean;
  /**
   * CURVE: the public key of the server to which this client connects, as Z85 text. (`ZMQ_CURVE_SERVERKEY`)
   *
   * @default {null}
   */
  curveServerKey: string | null;
  /** GSSAPI: whether messages are not encrypted. (`ZMQ_GSSAPI_PLAINTEXT`) @default {false} */
  gssapiPlainText: boolean;
  /** GSSAPI: name of the principal of this socket. (`ZMQ_GSSAPI_PRINCIPAL`) @default {null} */
  gssapiPrincipal: string | null;
  /** GSSAPI: kind of {@link gssapiPrincipal}. (`ZMQ_GSSAPI_PRINCIPAL_NAMETYPE`) @default {"hostBased"} */
  gssapiPrincipalNameType: GssapiNameType;
  /** GSSAPI: whether this socket is the server. (`ZMQ_GSSAPI_SERVER`) @default {false} */
  gssapiServer: boolean;
  /**
   * GSSAPI: name of the principal of the server to which this client connects. (`ZMQ_GSSAPI_SERVICE_PRINCIPAL`)
   *
   * @default {null}
   */
  gssapiServicePrincipal: string | null;
  /**
   * GSSAPI: kind of {@link gssapiServicePrincipal}. (`ZMQ_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE`)
   *
   * @default {"hostBased"}
   */
  gssapiServicePrincipalNameType: GssapiNameType;
  /**
   * Longest time of the handshake of a new connection, in ms; 0 for no limit. (`ZMQ_HANDSHAKE_IVL`)
   *
   * @default {30_000}
   */
  handshakeInterval: number;
  /** Time between heartbeats, in ms; 0 for none. (`ZMQ_HEARTBEAT_IVL`) @default {0} */
  heartbeatInterval: number;
  /**
   * Time after a heartbeat in which something must come, or the connection is ended, in ms; −1 for {@link
   * heartbeatInterval}. (`ZMQ_HEARTBEAT_TIMEOUT`)
   *
   * @default {-1}
   */
  heartbeatTimeout: number;
  /**
   * Time after which the other end ends a connection on which nothing comes, in ms, in steps of 100.
   * (`ZMQ_HEARTBEAT_TTL`)
   *
   * @default {0}
   */
  heartbeatTimeToLive: number;
  /**
   * Whether messages are only queued for completed connections; without one, `send` waits. (`ZMQ_IMMEDIATE`)
   *
   * @default {false}
   */
  immediate: boolean;
  /** Network interface of new connections (Linux only). (`ZMQ_BINDTODEVICE`) @default {null} */
  interface: string | null;
  /** Whether IPv6 is used beside IPv4. (`ZMQ_IPV6`) @default {false} */
  ipv6: boolean;
  /** The address that was bound or connected last, with its port. (`ZMQ_LAST_ENDPOINT`) */
  readonly lastEndpoint: string | null;
  /**
   * How long libzmq goes on sending after `close`, in ms; −1 for as long as it takes, 0 to drop the rest. It is −1
   * unless `blocky` of the context is false, and 0 for subscribers. (`ZMQ_LINGER`)
   *
   * @default {-1}
   */
  linger: number;
  /** Whether TCP on this host is faster (Windows only). (`ZMQ_LOOPBACK_FASTPATH`) @default {false} */
  loopbackFastPath: boolean;
  /**
   * Largest part that is received, in bytes; −1 for no limit. A peer that sends a larger one is disconnected.
   * (`ZMQ_MAXMSGSIZE`)
   *
   * @default {-1}
   */
  maxMessageSize: number;
  /** Multicast: size of a packet. (`ZMQ_MULTICAST_MAXTPDU`) @default {1_500} */
  multicastMaxTransportDataUnit: number;
  /** PLAIN: the password of this client. (`ZMQ_PLAIN_PASSWORD`) @default {null} */
  plainPassword: string | null;
  /** PLAIN: whether this socket is the server. (`ZMQ_PLAIN_SERVER`) @default {false} */
  plainServer: boolean;
  /** PLAIN: the name of this client. (`ZMQ_PLAIN_USERNAME`) @default {null} */
  plainUsername: string | null;
  /** Multicast: most kilobits in a second. (`ZMQ_RATE`) @default {100} */
  rate: number;
  /** Time before a lost connection is made again, in ms; −1 for never. (`ZMQ_RECONNECT_IVL`) @default {100} */
  reconnectInterval: number;
  /**
   * Up to this time, in ms, {@link reconnectInterval} is doubled at each attempt; 0 for never.
   * (`ZMQ_RECONNECT_IVL_MAX`)
   *
   * @default {0}
   */
  reconnectMaxInterval: number;
  /** Multicast: longest absence of a receiver without loss, in ms. (`ZMQ_RECOVERY_IVL`) @default {10_000} */
  recoveryInterval: number;
  /** The security mechanism that the other settings choose; null for none. (`ZMQ_MECHANISM`) */
  readonly securityMechanism: null | "plain" | "curve" | "gssapi";
  /** Address of a SOCKS5 proxy for TCP connections. (`ZMQ_SOCKS_PROXY`) @default {null} */
  socksProxy: string | null;
  /**
   * Adds a range of addresses (CIDR) whose connections are accepted; null removes all, so that every address may
   * connect. (`ZMQ_TCP_ACCEPT_FILTER`)
   *
   * @default {null}
   */
  tcpAcceptFilter: string | null;
  /** TCP keepalive: 1 for on, 0 for off, −1 for the system's setting. (`ZMQ_TCP_KEEPALIVE`) @default {-1} */
  tcpKeepalive: number;
  /** TCP keepalive: number of probes; −1 for the system's setting. (`ZMQ_TCP_KEEPALIVE_CNT`) @default {-1} */
  tcpKeepaliveCount: number;
  /**
   * TCP keepalive: seconds before the first probe; −1 for the system's setting. (`ZMQ_TCP_KEEPALIVE_IDLE`)
   *
   * @default {-1}
   */
  tcpKeepaliveIdle: number;
  /**
   * TCP keepalive: seconds between probes; −1 for the system's setting. (`ZMQ_TCP_KEEPALIVE_INTVL`)
   *
   * @default {-1}
   */
  tcpKeepaliveInterval: number;
  /**
   * Time after which unacknowledged data ends a TCP connection, in ms; 0 for the system's setting.
   * (`ZMQ_TCP_MAXRT`)
   *
   * @default {0}
   */
  tcpMaxRetransmitTimeout: number;
  /** Whether libzmq lets several threads use the socket: true for most draft sockets. (`ZMQ_THREAD_SAFE`) */
  readonly threadSafe: boolean;
  /** Number of the socket's type. (`ZMQ_TYPE`) */
  readonly type: number;
  /** The field *type of service* of IP packets. (`ZMQ_TOS`) @default {0} */
  typeOfService: number;
  /** VMCI: largest size of the buffer. (`ZMQ_VMCI_BUFFER_MAX_SIZE`) */
  vmciBufferMaxSize: number;
  /** VMCI: smallest size of the buffer. (`ZMQ_VMCI_BUFFER_MIN_SIZE`) */
  vmciBufferMinSize: number;
  /** VMCI: size of the buffer. (`ZMQ_VMCI_BUFFER_SIZE`) */
  vmciBufferSize: number;
  /** VMCI: longest time of a connection attempt, in ms. (`ZMQ_VMCI_CONNECT_TIMEOUT`) */
  vmciConnectTimeout: number;
  /**
   * The domain of ZAP requests. Without a security mechanism, clients are only checked when there is one.
   * (`ZMQ_ZAP_DOMAIN`)
   *
   * @default {null}
   */
  zapDomain: string | null;
  /**
   * Whether clients are refused when there is no {@link zapDomain} and no mechanism. (`ZMQ_ZAP_ENFORCE_DOMAIN`)
   *
   * @default {false}
   */
  zapEnforceDomain: boolean;
}

const nameTypes = ["hostBased", "userName", "krb5Principal"];

/** {@link SocketSettings}, as libzmq knows them. */
export const socketOptions: { readonly [Name in keyof SocketSettings]: OptionSpec } = {
  affinity: { option: SocketOption.AFFINITY, type: "Uint64" },
  backlog: { option: SocketOption.BACKLOG, type: "Int32" },
  connectTimeout: { option: SocketOption.CONNECT_TIMEOUT, type: "Int32" },
  curvePublicKey: { option: SocketOption.CURVE_PUBLICKEY, type: "String" },
  curveSecretKey: { option: SocketOption.CURVE_SECRETKEY, type: "String" },
  curveServer: { option: SocketOption.CURVE_SERVER, type: "Bool" },
  curveServerKey: { option: SocketOption.CURVE_SERVERKEY, type: "String" },
  gssapiPlainText: { option: SocketOption.GSSAPI_PLAINTEXT, type: "Bool" },
  gssapiPrincipal: { option: SocketOption.GSSAPI_PRINCIPAL, type: "String" },
  gssapiPrincipalNameType: {
    option: SocketOption.GSSAPI_PRINCIPAL_NAMETYPE,
    type: "Int32",
    values: nameTypes,
  },
  gssapiServer: { option: SocketOption.GSSAPI_SERVER, type: "Bool" },
  gssapiServicePrincipal: { option: SocketOption.GSSAPI_SERVICE_PRINCIPAL, type: "String" },
  gssapiServicePrincipalNameType: {
    option: SocketOption.GSSAPI_SERVICE_PRINCIPAL_NAMETYPE,
    type: "Int32",
    values: nameTypes,
  },
  handshakeInterval: { option: SocketOption.HANDSHAKE_IVL, type: "Int32" },
  heartbeatInterval: { option: SocketOption.HEARTBEAT_IVL, type: "Int32" },
  heartbeatTimeout: { option: SocketOption.HEARTBEAT_TIMEOUT, type: "Int32" },
  heartbeatTimeToLive: { option: SocketOption.HEARTBEAT_TTL, type: "Int32" },
  immediate: { option: SocketOption.IMMEDIATE, type: "Bool" },
  interface: { option: SocketOption.BINDTODEVICE, type: "String" },
  ipv6: { option: SocketOption.IPV6, type: "Bool" },
  lastEndpoint: { option: SocketOption.LAST_ENDPOINT, type: "String", access: "r" },
  linger: { option: SocketOption.LINGER, type: "Int32" },
  loopbackFastPath: { option: SocketOption.LOOPBACK_FASTPATH, type: "Bool" },
  maxMessageSize: { option: SocketOption.MAXMSGSIZE, type: "Int64" },
  multicastMaxTransportDataUnit: { option: SocketOption.MULTICAST_MAXTPDU, type: "Int32" },
  plainPassword: { option: SocketOption.PLAIN_PASSWORD, type: "String" },
  plainServer: { option: SocketOption.PLAIN_SERVER, type: "Bool" },
  plainUsername: { option: SocketOption.PLAIN_USERNAME, type: "String" },
  rate: { option: SocketOption.RATE, type: "Int32" },
  reconnectInterval: { option: SocketOption.RECONNECT_IVL, type: "Int32" },
  reconnectMaxInterval: { option: SocketOption.RECONNECT_IVL_MAX, type: "Int32" },
  recoveryInterval: { option: SocketOption.RECOVERY_IVL, type: "Int32" },
  securityMechanism: {
    option: SocketOption.MECHANISM,
    type: "Int32",
    access: "r",
    values: [null, "plain", "curve", "gssapi"],
  },
  socksProxy: { option: SocketOption.SOCKS_PROXY, type: "String" },
  tcpAcceptFilter: { option: SocketOption.TCP_ACCEPT_FILTER, type: "String" },
  tcpKeepalive: { option: SocketOption.TCP_KEEPALIVE, type: "Int32" },
  tcpKeepaliveCount: { option: SocketOption.TCP_KEEPALIVE_CNT, type: "Int32" },
  tcpKeepaliveIdle: { option: SocketOption.TCP_KEEPALIVE_IDLE, type: "Int32" },
  tcpKeepaliveInterval: { option: SocketOption.TCP_KEEPALIVE_INTVL, type: "Int32" },
  tcpMaxRetransmitTimeout: { option: SocketOption.TCP_MAXRT, type: "Int32" },
  threadSafe: { option: SocketOption.THREAD_SAFE, type: "Bool", access: "r" },
  type: { option: SocketOption.TYPE, type: "Int32", access: "r" },
  typeOfService: { option: SocketOption.TOS, type: "Uint32" },
  vmciBufferMaxSize: { option: SocketOption.VMCI_BUFFER_MAX_SIZE, type: "Uint64" },
  vmciBufferMinSize: { option: SocketOption.VMCI_BUFFER_MIN_SIZE, type: "Uint64" },
  vmciBufferSize: { option: SocketOption.VMCI_BUFFER_SIZE, type: "Uint64" },
  vmciConnectTimeout: { option: SocketOption.VMCI_CONNECT_TIMEOUT, type: "Int32" },
  zapDomain: { option: SocketOption.ZAP_DOMAIN, type: "String" },
  zapEnforceDomain: { option: SocketOption.ZAP_ENFORCE_DOMAIN, type: "Bool" },
};
