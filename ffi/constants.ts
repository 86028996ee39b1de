import process from "node:process";

/** Socket types of `zmq_socket`. @see man zmq_socket(3) */
export const SocketType = {
  PAIR: 0,
  PUB: 1,
  SUB: 2,
  REQ: 3,
  REP: 4,
  DEALER: 5,
  ROUTER: 6,
  PULL: 7,
  PUSH: 8,
  XPUB: 9,
  XSUB: 10,
  STREAM: 11,
  /** Draft, like all that follow. */
  SERVER: 12,
  CLIENT: 13,
  RADIO: 14,
  DISH: 15,
  GATHER: 16,
  SCATTER: 17,
  DGRAM: 18,
  PEER: 19,
  CHANNEL: 20,
} as const;
/** A number of {@link SocketType}. */
export type SocketType = (typeof SocketType)[keyof typeof SocketType];

/** Options of `zmq_ctx_set` and `zmq_ctx_get`; every value is an int. @see man zmq_ctx_set(3) */
export const ContextOption = {
  IO_THREADS: 1,
  MAX_SOCKETS: 2,
  /** Get only: the upper limit of MAX_SOCKETS. */
  SOCKET_LIMIT: 3,
  /** Set only; shares its number with SOCKET_LIMIT. */
  THREAD_PRIORITY: 3,
  THREAD_SCHED_POLICY: 4,
  MAX_MSGSZ: 5,
  MSG_T_SIZE: 6,
  THREAD_AFFINITY_CPU_ADD: 7,
  THREAD_AFFINITY_CPU_REMOVE: 8,
  THREAD_NAME_PREFIX: 9,
  ZERO_COPY_RECV: 10,
  /** 1 for IPv6 on new sockets. */
  IPV6: 42,
  /** 0 makes the linger of new sockets 0. */
  BLOCKY: 70,
} as const;
/** A number of {@link ContextOption}. */
export type ContextOption = (typeof ContextOption)[keyof typeof ContextOption];

/** Options of `zmq_setsockopt` and `zmq_getsockopt`. @see man zmq_setsockopt(3), zmq_getsockopt(3) */
export const SocketOption = {
  AFFINITY: 4,
  ROUTING_ID: 5,
  SUBSCRIBE: 6,
  UNSUBSCRIBE: 7,
  RATE: 8,
  RECOVERY_IVL: 9,
  SNDBUF: 11,
  RCVBUF: 12,
  RCVMORE: 13,
  FD: 14,
  EVENTS: 15,
  TYPE: 16,
  LINGER: 17,
  RECONNECT_IVL: 18,
  BACKLOG: 19,
  RECONNECT_IVL_MAX: 21,
  MAXMSGSIZE: 22,
  SNDHWM: 23,
  RCVHWM: 24,
  MULTICAST_HOPS: 25,
  RCVTIMEO: 27,
  SNDTIMEO: 28,
  IPV4ONLY: 31,
  LAST_ENDPOINT: 32,
  ROUTER_MANDATORY: 33,
  TCP_KEEPALIVE: 34,
  TCP_KEEPALIVE_CNT: 35,
  TCP_KEEPALIVE_IDLE: 36,
  TCP_KEEPALIVE_INTVL: 37,
  TCP_ACCEPT_FILTER: 38,
  IMMEDIATE: 39,
  XPUB_VERBOSE: 40,
  ROUTER_RAW: 41,
  IPV6: 42,
  MECHANISM: 43,
  PLAIN_SERVER: 44,
  PLAIN_USERNAME: 45,
  PLAIN_PASSWORD: 46,
  CURVE_SERVER: 47,
  CURVE_PUBLICKEY: 48,
  CURVE_SECRETKEY: 49,
  CURVE_SERVERKEY: 50,
  PROBE_ROUTER: 51,
  REQ_CORRELATE: 52,
  REQ_RELAXED: 53,
  CONFLATE: 54,
  ZAP_DOMAIN: 55,
  ROUTER_HANDOVER: 56,
  TOS: 57,
  IPC_FILTER_PID: 58,
  IPC_FILTER_UID: 59,
  IPC_FILTER_GID: 60,
  CONNECT_ROUTING_ID: 61,
  GSSAPI_SERVER: 62,
  GSSAPI_PRINCIPAL: 63,
  GSSAPI_SERVICE_PRINCIPAL: 64,
  GSSAPI_PLAINTEXT: 65,
  HANDSHAKE_IVL: 66,
  SOCKS_PROXY: 68,
  XPUB_NODROP: 69,
  BLOCKY: 70,
  XPUB_MANUAL: 71,
  XPUB_WELCOME_MSG: 72,
  STREAM_NOTIFY: 73,
  INVERT_MATCHING: 74,
  HEARTBEAT_IVL: 75,
  HEARTBEAT_TTL: 76,
  HEARTBEAT_TIMEOUT: 77,
  XPUB_VERBOSER: 78,
  CONNECT_TIMEOUT: 79,
  TCP_MAXRT: 80,
  THREAD_SAFE: 81,
  MULTICAST_MAXTPDU: 84,
  VMCI_BUFFER_SIZE: 85,
  VMCI_BUFFER_MIN_SIZE: 86,
  VMCI_BUFFER_MAX_SIZE: 87,
  VMCI_CONNECT_TIMEOUT: 88,
  USE_FD: 89,
  GSSAPI_PRINCIPAL_NAMETYPE: 90,
  GSSAPI_SERVICE_PRINCIPAL_NAMETYPE: 91,
  BINDTODEVICE: 92,
  /** Draft, like all that follow. */
  ZAP_ENFORCE_DOMAIN: 93,
  LOOPBACK_FASTPATH: 94,
  METADATA: 95,
  MULTICAST_LOOP: 96,
  ROUTER_NOTIFY: 97,
  XPUB_MANUAL_LAST_VALUE: 98,
  SOCKS_USERNAME: 99,
  SOCKS_PASSWORD: 100,
  IN_BATCH_SIZE: 101,
  OUT_BATCH_SIZE: 102,
  WSS_KEY_PEM: 103,
  WSS_CERT_PEM: 104,
  WSS_TRUST_PEM: 105,
  WSS_HOSTNAME: 106,
  WSS_TRUST_SYSTEM: 107,
  ONLY_FIRST_SUBSCRIBE: 108,
  RECONNECT_STOP: 109,
  HELLO_MSG: 110,
  DISCONNECT_MSG: 111,
  PRIORITY: 112,
  BUSY_POLL: 113,
  HICCUP_MSG: 114,
  XSUB_VERBOSE_UNSUBSCRIBE: 115,
  TOPICS_COUNT: 116,
} as const;
/** A number of {@link SocketOption}. */
export type SocketOption = (typeof SocketOption)[keyof typeof SocketOption];

/**
 * Storage of a socket option's value.
 *
 * `int` is 4 bytes, `int64` and `uint64` are 8, in the machine's order. `string` is UTF-8; a read value includes a
 * final NUL. `key` is a CURVE key: 32 bytes, or 40 characters of Z85.
 */
export type OptionKind = "int" | "int64" | "uint64" | "bytes" | "string" | "key";

/** Kinds of the options of {@link SocketOption} that are not `int`. */
const otherKinds = {
  AFFINITY: "uint64",
  MAXMSGSIZE: "int64",
  VMCI_BUFFER_SIZE: "uint64",
  VMCI_BUFFER_MIN_SIZE: "uint64",
  VMCI_BUFFER_MAX_SIZE: "uint64",
  ROUTING_ID: "bytes",
  SUBSCRIBE: "bytes",
  UNSUBSCRIBE: "bytes",
  CONNECT_ROUTING_ID: "bytes",
  XPUB_WELCOME_MSG: "bytes",
  HELLO_MSG: "bytes",
  DISCONNECT_MSG: "bytes",
  HICCUP_MSG: "bytes",
  LAST_ENDPOINT: "string",
  TCP_ACCEPT_FILTER: "string",
  PLAIN_USERNAME: "string",
  PLAIN_PASSWORD: "string",
  ZAP_DOMAIN: "string",
  GSSAPI_PRINCIPAL: "string",
  GSSAPI_SERVICE_PRINCIPAL: "string",
  SOCKS_PROXY: "string",
  SOCKS_USERNAME: "string",
  SOCKS_PASSWORD: "string",
  BINDTODEVICE: "string",
  METADATA: "string",
  WSS_KEY_PEM: "string",
  WSS_CERT_PEM: "string",
  WSS_TRUST_PEM: "string",
  WSS_HOSTNAME: "string",
  CURVE_PUBLICKEY: "key",
  CURVE_SECRETKEY: "key",
  CURVE_SERVERKEY: "key",
} as const satisfies { readonly [Name in keyof typeof SocketOption]?: OptionKind };

/**
 * The storage of a socket option's value.
 *
 * @param name The option's name in {@link SocketOption}.
 * @returns Its kind; most are `int`.
 */
export function optionKind(name: keyof typeof SocketOption): OptionKind {
  const kinds: { readonly [name: string]: OptionKind | undefined } = otherKinds;
  return kinds[name] ?? "int";
}

/** Flags of `zmq_send` and its relatives. @see man zmq_send(3) */
export const SendFlag = { DONTWAIT: 1, SNDMORE: 2 } as const;
/** A flag of {@link SendFlag}; flags are added. */
export type SendFlag = (typeof SendFlag)[keyof typeof SendFlag];

/** Flags of `zmq_recv` and its relatives. @see man zmq_recv(3) */
export const ReceiveFlag = { DONTWAIT: 1 } as const;
/** A flag of {@link ReceiveFlag}. */
export type ReceiveFlag = (typeof ReceiveFlag)[keyof typeof ReceiveFlag];

/** The bits of the `EVENTS` option. @see man zmq_getsockopt(3) */
export const PollEvent = { POLLIN: 1, POLLOUT: 2, POLLERR: 4, POLLPRI: 8 } as const;
/** A bit of {@link PollEvent}; bits are added. */
export type PollEvent = (typeof PollEvent)[keyof typeof PollEvent];

/** Values of the `MECHANISM` option. */
export const Mechanism = { NULL: 0, PLAIN: 1, CURVE: 2, GSSAPI: 3 } as const;
/** A number of {@link Mechanism}. */
export type Mechanism = (typeof Mechanism)[keyof typeof Mechanism];

/** Properties of a message for `zmq_msg_get`. @see man zmq_msg_get(3) */
export const MessageProperty = {
  MORE: 1,
  /** Descriptor of the message's connection. */
  SRCFD: 2,
  SHARED: 3,
} as const;
/** A number of {@link MessageProperty}. */
export type MessageProperty = (typeof MessageProperty)[keyof typeof MessageProperty];

/** Names for `zmq_msg_gets`. @see man zmq_msg_gets(3) */
export const MessageText = {
  ROUTING_ID: "Routing-Id",
  SOCKET_TYPE: "Socket-Type",
  USER_ID: "User-Id",
  PEER_ADDRESS: "Peer-Address",
} as const;
/** A name of {@link MessageText}. */
export type MessageText = (typeof MessageText)[keyof typeof MessageText];

/** Events of `zmq_socket_monitor`, version 1, added to a mask. @see man zmq_socket_monitor(3) */
export const MonitorEvent = {
  CONNECTED: 0x0001,
  CONNECT_DELAYED: 0x0002,
  CONNECT_RETRIED: 0x0004,
  LISTENING: 0x0008,
  BIND_FAILED: 0x0010,
  ACCEPTED: 0x0020,
  ACCEPT_FAILED: 0x0040,
  CLOSED: 0x0080,
  CLOSE_FAILED: 0x0100,
  DISCONNECTED: 0x0200,
  MONITOR_STOPPED: 0x0400,
  /** The value is an errno. */
  HANDSHAKE_FAILED_NO_DETAIL: 0x0800,
  HANDSHAKE_SUCCEEDED: 0x1000,
  /** The value is a number of {@link ProtocolError}. */
  HANDSHAKE_FAILED_PROTOCOL: 0x2000,
  /** The value is the ZAP status: 300, 400 or 500. */
  HANDSHAKE_FAILED_AUTH: 0x4000,
  ALL: 0xffff,
} as const;
/** A bit of {@link MonitorEvent}. */
export type MonitorEvent = (typeof MonitorEvent)[keyof typeof MonitorEvent];

/** Values of the monitor event `HANDSHAKE_FAILED_PROTOCOL`. @see man zmq_socket_monitor(3) */
export const ProtocolError = {
  ZMTP_UNSPECIFIED: 0x10000000,
  ZMTP_UNEXPECTED_COMMAND: 0x10000001,
  ZMTP_INVALID_SEQUENCE: 0x10000002,
  ZMTP_KEY_EXCHANGE: 0x10000003,
  ZMTP_MALFORMED_COMMAND_UNSPECIFIED: 0x10000011,
  ZMTP_MALFORMED_COMMAND_MESSAGE: 0x10000012,
  ZMTP_MALFORMED_COMMAND_HELLO: 0x10000013,
  ZMTP_MALFORMED_COMMAND_INITIATE: 0x10000014,
  ZMTP_MALFORMED_COMMAND_ERROR: 0x10000015,
  ZMTP_MALFORMED_COMMAND_READY: 0x10000016,
  ZMTP_MALFORMED_COMMAND_WELCOME: 0x10000017,
  ZMTP_INVALID_METADATA: 0x10000018,
  ZMTP_CRYPTOGRAPHIC: 0x11000001,
  ZMTP_MECHANISM_MISMATCH: 0x11000002,
  ZAP_UNSPECIFIED: 0x20000000,
  ZAP_MALFORMED_REPLY: 0x20000001,
  ZAP_BAD_REQUEST_ID: 0x20000002,
  ZAP_BAD_VERSION: 0x20000003,
  ZAP_INVALID_STATUS_CODE: 0x20000004,
  ZAP_INVALID_METADATA: 0x20000005,
  WS_UNSPECIFIED: 0x30000000,
} as const;
/** A number of {@link ProtocolError}. */
export type ProtocolError = (typeof ProtocolError)[keyof typeof ProtocolError];

/** Capabilities for `zmq_has`. @see man zmq_has(3) */
export const capabilities = [
  "ipc",
  "pgm",
  "norm",
  "tipc",
  "vmci",
  "vsock",
  "curve",
  "gssapi",
  "draft",
  "WS",
  "WSS",
] as const;
/** A capability of a libzmq build. @see man zmq_has(3) */
export type Capability = (typeof capabilities)[number];

/** Bits of the draft option `ROUTER_NOTIFY`. */
export const RouterNotify = { CONNECT: 1, DISCONNECT: 2 } as const;
/** A bit of {@link RouterNotify}. */
export type RouterNotify = (typeof RouterNotify)[keyof typeof RouterNotify];

/** The error numbers of Linux, by name; the docstrings of {@link Errno}. */
export const linuxErrno = {
  /** Not permitted. */
  EPERM: 1,
  /** No such file. */
  ENOENT: 2,
  /** Interrupted by a signal: retry. */
  EINTR: 4,
  /** Bad descriptor. */
  EBADF: 9,
  /** Would block. */
  EAGAIN: 11,
  /** No memory. */
  ENOMEM: 12,
  /** No access. */
  EACCES: 13,
  /** Bad address; a closed context. */
  EFAULT: 14,
  /** In use. */
  EBUSY: 16,
  /** Exists already. */
  EEXIST: 17,
  /** No such interface. */
  ENODEV: 19,
  /** A component of the path is not a folder. */
  ENOTDIR: 20,
  /** Not a valid argument. */
  EINVAL: 22,
  /** The system has no descriptors left. */
  ENFILE: 23,
  /** The process, or the context, has no descriptors left. */
  EMFILE: 24,
  /** The file system is read-only. */
  EROFS: 30,
  /** The other end is gone. */
  EPIPE: 32,
  /** The path of an ipc endpoint is too long. */
  ENAMETOOLONG: 36,
  /** Not a socket, or one that was closed. */
  ENOTSOCK: 88,
  /** The message is too large. */
  EMSGSIZE: 90,
  /** The protocol has no such option. */
  EPROTO: 71,
  /** Unknown protocol. */
  EPROTONOSUPPORT: 93,
  /** Not possible on this socket. */
  ENOTSUP: 95,
  /** Unknown address family. */
  EAFNOSUPPORT: 97,
  /** Another socket has this address. */
  EADDRINUSE: 98,
  /** No interface has this address. */
  EADDRNOTAVAIL: 99,
  /** The network is down. */
  ENETDOWN: 100,
  /** The network cannot be reached. */
  ENETUNREACH: 101,
  /** The network dropped the connection. */
  ENETRESET: 102,
  /** The connection was aborted here. */
  ECONNABORTED: 103,
  /** The connection was reset by the peer. */
  ECONNRESET: 104,
  /** No buffers. */
  ENOBUFS: 105,
  /** Not connected. */
  ENOTCONN: 107,
  /** Timed out. */
  ETIMEDOUT: 110,
  /** Connection refused. */
  ECONNREFUSED: 111,
  /** No peer by this routing id, or no route to the host. */
  EHOSTUNREACH: 113,
  /** In progress. */
  EINPROGRESS: 115,
  // libzmq's own errors, the same on every platform.
  /** Not allowed in this state of the socket. */
  EFSM: 156384763,
  /** The protocol does not fit the socket type. */
  ENOCOMPATPROTO: 156384764,
  /** The context was terminated. */
  ETERM: 156384765,
  /** No I/O thread. */
  EMTHREAD: 156384766,
};

/** Error numbers of libzmq and of the calls around it, by name. */
export type ErrnoTable = { readonly [Name in keyof typeof linuxErrno]: number };

const darwinErrno: ErrnoTable = {
  ...linuxErrno,
  EAGAIN: 35,
  EINPROGRESS: 36,
  ENOTSOCK: 38,
  EMSGSIZE: 40,
  EPROTONOSUPPORT: 43,
  ENOTSUP: 45,
  EAFNOSUPPORT: 47,
  EADDRINUSE: 48,
  EADDRNOTAVAIL: 49,
  ENETDOWN: 50,
  ENETUNREACH: 51,
  ENETRESET: 52,
  ECONNABORTED: 53,
  ECONNRESET: 54,
  ENOBUFS: 55,
  ENOTCONN: 57,
  ETIMEDOUT: 60,
  ECONNREFUSED: 61,
  ENAMETOOLONG: 63,
  EHOSTUNREACH: 65,
  EPROTO: 100,
};

/** The error numbers of each supported platform. */
export const errnoTables: { readonly linux: ErrnoTable; readonly darwin: ErrnoTable } = {
  linux: linuxErrno,
  darwin: darwinErrno,
};

/** The error numbers of this platform. @see man zmq_errno(3) */
export const Errno: ErrnoTable = process.platform === "darwin" ? darwinErrno : linuxErrno;
