import type { HeldList, SharedContexts } from "./held.ts";
import type { Address, Handle, NativeMemory, Size, Text } from "./memory.ts";

/**
 * Passing of a C parameter.
 *
 * - `handle`: a pointer from libzmq or libc (`void *`).
 * - `address`: an address in a region, which the owner keeps.
 * - `view`: a `Uint8Array`, kept alive during the call. Null is `NULL`.
 * - `size`: `size_t`. `int`: itself.
 */
export type Parameter = "handle" | "address" | "view" | "size" | "int";

/** Result of a C function: `text` is a `const char *` that C owns. */
export type Result = "handle" | "int" | "text" | "none";

/** One C function. A table may have it under several names, with arguments passed differently. */
export interface SymbolSpec {
  /** The symbol in the library. */
  readonly name: string;
  /** Passing of each parameter. */
  readonly parameters: readonly Parameter[];
  /** Kind of the result. */
  readonly result: Result;
}

/** C functions by the adapters' names. */
export type SymbolTable = { readonly [call: string]: SymbolSpec };

/** JavaScript types of the parameters; the opaque ones differ by runtime. */
interface Arguments extends Record<Parameter, unknown> {
  handle: Handle | null;
  address: Address;
  view: Uint8Array | null;
  size: Size;
  int: number;
}

/** JavaScript types of the results; null for `NULL`. */
interface Results extends Record<Result, unknown> {
  handle: Handle | null;
  int: number;
  text: Text | null;
  none: void;
}

/** The arguments of one function. */
type Passed<Parameters extends readonly Parameter[]> = {
  -readonly [Index in keyof Parameters]: Arguments[Parameters[Index]];
};

/** The functions of a table. −1 mostly means that `errno()` has the error. */
export type Calls<Table extends SymbolTable> = {
  readonly [Call in keyof Table]: (
    ...parameters: Passed<Table[Call]["parameters"]>
  ) => Results[Table[Call]["result"]];
};

/** The functions of a table, each of which may be missing. */
export type OptionalCalls<Table extends SymbolTable> = {
  readonly [Call in keyof Table]?: Calls<Table>[Call] | null;
};

/** The functions of a table, run on another thread. */
export type AwayCalls<Table extends SymbolTable> = {
  readonly [Call in keyof Table]: (
    ...parameters: Parameters<Calls<Table>[Call]>
  ) => Promise<ReturnType<Calls<Table>[Call]>>;
};

/** Functions of every usable libzmq. C parameters are in the comments. */
export const zmqSymbols = {
  errno: { name: "zmq_errno", parameters: [], result: "int" }, // void
  strerror: { name: "zmq_strerror", parameters: ["int"], result: "text" }, // errnum
  version: { name: "zmq_version", parameters: ["view", "view", "view"], result: "none" }, // *major, *minor, *patch
  has: { name: "zmq_has", parameters: ["view"], result: "int" }, // *capability

  ctxNew: { name: "zmq_ctx_new", parameters: [], result: "handle" }, // void
  ctxSet: { name: "zmq_ctx_set", parameters: ["handle", "int", "int"], result: "int" }, // *context, option, value
  ctxGet: { name: "zmq_ctx_get", parameters: ["handle", "int"], result: "int" }, // *context, option
  ctxShutdown: { name: "zmq_ctx_shutdown", parameters: ["handle"], result: "int" }, // *context
  ctxTerm: { name: "zmq_ctx_term", parameters: ["handle"], result: "int" }, // *context

  socket: { name: "zmq_socket", parameters: ["handle", "int"], result: "handle" }, // *context, type
  close: { name: "zmq_close", parameters: ["handle"], result: "int" }, // *socket
  bind: { name: "zmq_bind", parameters: ["handle", "view"], result: "int" }, // *socket, *endpoint
  unbind: { name: "zmq_unbind", parameters: ["handle", "view"], result: "int" }, // *socket, *endpoint
  connect: { name: "zmq_connect", parameters: ["handle", "view"], result: "int" }, // *socket, *endpoint
  disconnect: { name: "zmq_disconnect", parameters: ["handle", "view"], result: "int" }, // *socket, *endpoint
  // *socket, option, *value, length
  setsockopt: { name: "zmq_setsockopt", parameters: ["handle", "int", "view", "size"], result: "int" },
  // *socket, option, *value, *length
  getsockopt: { name: "zmq_getsockopt", parameters: ["handle", "int", "address", "address"], result: "int" },
  getsockoptView: { name: "zmq_getsockopt", parameters: ["handle", "int", "view", "address"], result: "int" },
  // *socket, *endpoint, events
  monitor: { name: "zmq_socket_monitor", parameters: ["handle", "view", "int"], result: "int" },

  // *socket, *buffer, length, flags
  send: { name: "zmq_send", parameters: ["handle", "address", "size", "int"], result: "int" },
  sendView: { name: "zmq_send", parameters: ["handle", "view", "size", "int"], result: "int" },
  recv: { name: "zmq_recv", parameters: ["handle", "address", "size", "int"], result: "int" },

  msgInit: { name: "zmq_msg_init", parameters: ["address"], result: "int" }, // *message
  msgRecv: { name: "zmq_msg_recv", parameters: ["address", "handle", "int"], result: "int" }, // *message, *socket, flags
  msgSend: { name: "zmq_msg_send", parameters: ["address", "handle", "int"], result: "int" }, // *message, *socket, flags
  msgMore: { name: "zmq_msg_more", parameters: ["address"], result: "int" }, // *message
  msgData: { name: "zmq_msg_data", parameters: ["address"], result: "handle" }, // *message
  msgGet: { name: "zmq_msg_get", parameters: ["address", "int"], result: "int" }, // *message, property
  msgGets: { name: "zmq_msg_gets", parameters: ["address", "view"], result: "text" }, // *message, *property

  // *target, *source, length
  memcpy: { name: "memcpy", parameters: ["address", "handle", "size"], result: "none" },
  memcpyView: { name: "memcpy", parameters: ["view", "handle", "size"], result: "none" },
} as const satisfies SymbolTable;

/** Functions that some builds of libzmq or some C libraries lack; each is opened separately. */
export const optionalSymbols = {
  mallopt: { name: "mallopt", parameters: ["int", "int"], result: "int" }, // parameter, value
  mallocTrim: { name: "malloc_trim", parameters: ["handle"], result: "int" }, // bytes to keep at the top
  gettid: { name: "gettid", parameters: [], result: "int" }, // void
  // *domain, *folder
  bindtextdomain: { name: "bindtextdomain", parameters: ["view", "view"], result: "handle" },
  // *public, *secret: 41 bytes each
  curveKeypair: { name: "zmq_curve_keypair", parameters: ["view", "view"], result: "int" },
  curvePublic: { name: "zmq_curve_public", parameters: ["view", "view"], result: "int" },
} as const satisfies SymbolTable;

/** Functions for the draft sockets, and two of libc for their messages; opened together, for the first draft socket. */
export const draftSymbols = {
  pollerNew: { name: "zmq_poller_new", parameters: [], result: "handle" }, // void
  pollerDestroy: { name: "zmq_poller_destroy", parameters: ["address"], result: "int" }, // **poller
  // *poller, *socket, *user_data, events
  pollerAdd: { name: "zmq_poller_add", parameters: ["handle", "handle", "handle", "int"], result: "int" },
  pollerFd: { name: "zmq_poller_fd", parameters: ["handle", "address"], result: "int" }, // *poller, *fd
  join: { name: "zmq_join", parameters: ["handle", "view"], result: "int" }, // *socket, *group
  leave: { name: "zmq_leave", parameters: ["handle", "view"], result: "int" }, // *socket, *group
  msgInitSize: { name: "zmq_msg_init_size", parameters: ["address", "size"], result: "int" }, // *message, size
  msgClose: { name: "zmq_msg_close", parameters: ["address"], result: "int" }, // *message
  msgSetRoutingId: { name: "zmq_msg_set_routing_id", parameters: ["address", "int"], result: "int" }, // *message, id
  msgRoutingId: { name: "zmq_msg_routing_id", parameters: ["address"], result: "int" }, // *message
  msgSetGroup: { name: "zmq_msg_set_group", parameters: ["address", "view"], result: "int" }, // *message, *group
  msgGroup: { name: "zmq_msg_group", parameters: ["address"], result: "handle" }, // *message
  strnlen: { name: "strnlen", parameters: ["handle", "size"], result: "int" }, // *text, most
  memcpyIn: { name: "memcpy", parameters: ["handle", "view", "size"], result: "none" }, // *target, *source, length
} as const satisfies SymbolTable;

/** libc's functions of every Unix. libzmq's own handle finds them, since it depends on libc. */
const unixSymbols = {
  errno: { name: "zmq_errno", parameters: [], result: "int" }, // void
  poll: { name: "poll", parameters: ["handle", "size", "int"], result: "int" }, // *fds, count, timeout_ms
  close: { name: "close", parameters: ["int"], result: "int" }, // fd
  read: { name: "read", parameters: ["int", "address", "size"], result: "int" }, // fd, *buffer, length
  write: { name: "write", parameters: ["int", "address", "size"], result: "int" }, // fd, *buffer, length
  open: { name: "open", parameters: ["view", "int"], result: "int" }, // *path, flags
  // fd, command, argument; variadic in C, called only where variadic integers travel like named ones
  fcntl: { name: "fcntl", parameters: ["int", "int", "int"], result: "int" },
  socketpair: { name: "socketpair", parameters: ["int", "int", "int", "address"], result: "int" }, // domain, type, protocol, fds[2]
  yield: { name: "sched_yield", parameters: [], result: "int" }, // void
  getuid: { name: "getuid", parameters: [], result: "int" },
  getrlimit: { name: "getrlimit", parameters: ["int", "address"], result: "int" }, // resource, *limit
  opendir: { name: "opendir", parameters: ["view"], result: "handle" }, // *path
  readdir: { name: "readdir", parameters: ["handle"], result: "handle" }, // *directory
  closedir: { name: "closedir", parameters: ["handle"], result: "int" }, // *directory
  calloc: { name: "calloc", parameters: ["size", "size"], result: "handle" }, // count, size
  free: { name: "free", parameters: ["handle"], result: "none" }, // *memory
} as const satisfies SymbolTable;

/** libc's functions on Linux. */
export const linuxSymbols = {
  ...unixSymbols,
  epollCreate: { name: "epoll_create1", parameters: ["int"], result: "int" }, // flags
  epollControl: { name: "epoll_ctl", parameters: ["int", "int", "int", "address"], result: "int" }, // epoll, operation, fd, *event
  epollWait: { name: "epoll_wait", parameters: ["int", "address", "int", "int"], result: "int" }, // epoll, *events, count, timeout_ms
  eventfd: { name: "eventfd", parameters: ["int", "int"], result: "int" }, // initial, flags
  // *fds, count, *timeout, *signals
  ppoll: { name: "ppoll", parameters: ["address", "size", "address", "view"], result: "int" },
  // fd, level, option, *value, *length
  getsockopt: { name: "getsockopt", parameters: ["int", "int", "int", "address", "address"], result: "int" },
  getsockname: { name: "getsockname", parameters: ["int", "address", "address"], result: "int" }, // fd, *address, *length
  getpeername: { name: "getpeername", parameters: ["int", "address", "address"], result: "int" },
  flock: { name: "flock", parameters: ["int", "int"], result: "int" }, // fd, operation
  access: { name: "access", parameters: ["view", "int"], result: "int" }, // *path, mode
  shutdown: { name: "shutdown", parameters: ["int", "int"], result: "int" }, // fd, how
  readlink: { name: "readlink", parameters: ["view", "address", "size"], result: "int" }, // *path, *buffer, length
} as const satisfies SymbolTable;

/** libc's functions on macOS. */
export const darwinSymbols = {
  ...unixSymbols,
  kqueue: { name: "kqueue", parameters: [], result: "int" }, // void
  // kqueue, *changes, count, *events, count, *timeout
  kevent: {
    name: "kevent",
    parameters: ["int", "address", "int", "address", "int", "address"],
    result: "int",
  },
  pipe: { name: "pipe", parameters: ["address"], result: "int" }, // fds[2]
} as const satisfies SymbolTable;

/** Functions called on another thread, if the runtime can. */
export const awaySymbols = {
  ctxTerm: zmqSymbols.ctxTerm,
  mallocTrim: optionalSymbols.mallocTrim,
  poll: unixSymbols.poll,
} as const satisfies SymbolTable;

/** Threads of C, if glibc or musl has the non-blocking join; each is opened separately. */
export const threadSymbols = {
  // *thread, *attributes, *start, *argument
  create: { name: "pthread_create", parameters: ["address", "view", "handle", "handle"], result: "int" },
  // thread, **result
  tryJoin: { name: "pthread_tryjoin_np", parameters: ["handle", "address"], result: "int" },
} as const satisfies SymbolTable;

/** The loader itself; old versions of glibc have it in a separate library. */
export const loaderSymbols = {
  dlopen: { name: "dlopen", parameters: ["view", "int"], result: "handle" }, // *path, mode
  dlsym: { name: "dlsym", parameters: ["handle", "view"], result: "handle" }, // handle, *name
} as const satisfies SymbolTable;

/** libc on Linux. */
export type LinuxCalls = Calls<typeof linuxSymbols>;
/** libc on macOS. */
export type DarwinCalls = Calls<typeof darwinSymbols>;

/** libc as one runtime calls it, by platform. */
export type System =
  & {
    /** Memory, pointers and sizes. */
    readonly memory: NativeMemory;
    /** The list of this thread's resources; null if another thread could not free them. */
    holdings: HeldList | null;
    /** The context of all threads; null if they cannot share one. */
    shared: SharedContexts | null;
  }
  & (
    | { readonly platform: "linux"; readonly calls: LinuxCalls }
    | { readonly platform: "darwin"; readonly calls: DarwinCalls }
  );
/** {@link System} on Linux. */
export type LinuxSystem = Extract<System, { readonly platform: "linux" }>;
