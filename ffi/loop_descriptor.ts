import { cString } from "./c_string.ts";
import { Errno } from "./constants.ts";
import type { NativeRegion } from "./memory.ts";
import type { LinuxSystem, System } from "./symbols.ts";

/** The highest descriptor of the search; runtimes open their own early. */
const mostDescriptors = 4096;
/** The search ends after this many unused numbers. */
const gapEnd = 256;
const decoder = new TextDecoder();
const O_RDONLY_CLOEXEC = 0o2000000;
const O_RDONLY_CLOEXEC_DARWIN = 0x1000000;

function readWhole({ calls, memory }: LinuxSystem, path: string, buffer: NativeRegion): string | null {
  const fd = calls.open(cString(path), O_RDONLY_CLOEXEC);
  if (fd < 0) return null;
  const length = calls.read(fd, buffer.address, memory.size(buffer.bytes.length));
  calls.close(fd);
  return length < 0 ? null : decoder.decode(buffer.bytes.subarray(0, length));
}

/**
 * Finds the epoll descriptor that watches another descriptor: the runtime's own, given one that it watches.
 *
 * It uses libc, because the runtime's file API requires more permissions.
 *
 * @param system libc.
 * @param which `watched` is a descriptor that this thread's loop watches; `except` are epoll descriptors of this
 * library.
 * @returns The descriptor, or −1.
 */
export function findLoopDescriptor(
  system: LinuxSystem,
  { watched, except }: { readonly watched: number; readonly except: readonly number[] },
): number {
  const { calls, memory } = system;
  const buffer = memory.region(16_384);
  const size = memory.size(buffer.bytes.length);
  const target = new RegExp(`^tfd:\\s*${watched}\\s`, "m");
  let gap = 0;
  for (let fd = 0; fd < mostDescriptors && gap < gapEnd; fd++) {
    const length = calls.readlink(cString(`/proc/self/fd/${fd}`), buffer.address, size);
    if (length < 0) {
      // Without /proc, or without permission, the search ends.
      if (calls.errno() !== Errno.ENOENT) return -1;
      gap++;
      continue;
    }
    gap = 0;
    if (
      decoder.decode(buffer.bytes.subarray(0, length)) !== "anon_inode:[eventpoll]" || except.includes(fd)
    ) continue;
    const info = readWhole(system, `/proc/self/fdinfo/${fd}`, buffer);
    if (info !== null && target.test(info)) return fd;
  }
  return -1;
}

/**
 * Makes the function of `Waiter.slice`: `ppoll` over the poll set and the runtime's loop.
 *
 * Polling and yielding the core in between lets libzmq's own threads run on it. Measured on two cores, 64 B round
 * trips: 67 to 80 µs against 105 to 180 with sleeping at once, at less processor time; without the yield it is slower
 * than sleeping.
 *
 * @param system libc.
 * @param descriptors The poll set's, and the runtime's own.
 */
export function slicer(
  { calls, memory }: LinuxSystem,
  { ours, loop }: { readonly ours: number; readonly loop: number },
): (us: number, spinUs: number) => number {
  const POLLIN = 1;
  const fds = memory.region(16);
  const two = memory.size(2);
  const words = new Int32Array(fds.bytes.buffer);
  const halves = new Uint16Array(fds.bytes.buffer);
  const time = memory.region(16);
  const timeWords = new Int32Array(time.bytes.buffer);
  words[0] = ours;
  words[2] = loop;
  words[1] = POLLIN;
  words[3] = POLLIN;
  const wait = (us: number): number => {
    const whole = Math.floor(us / 1_000_000);
    timeWords[0] = whole;
    timeWords[2] = Math.floor((us - whole * 1_000_000) * 1000);
    const ready = calls.ppoll(fds.address, two, time.address, null);
    if (ready <= 0) return 0;
    return (halves[3] === 0 ? 0 : 1) | (halves[7] === 0 ? 0 : 2);
  };
  return (us, spinUs) => {
    if (spinUs > 0) {
      const until = performance.now() + spinUs / 1000;
      do {
        const ready = wait(0);
        if (ready !== 0) return ready;
        calls.yield();
      } while (performance.now() < until);
    }
    return wait(us);
  };
}

/**
 * Opens descriptors and closes them at once.
 *
 * @param system libc.
 * @param count Number to open.
 * @returns How many could be opened, at most `count`.
 */
export function spareDescriptors({ calls, platform }: System, count: number): number {
  const flags = platform === "darwin" ? O_RDONLY_CLOEXEC_DARWIN : O_RDONLY_CLOEXEC;
  const taken: number[] = [];
  while (taken.length < count) {
    const fd = calls.open(cString("/"), flags);
    if (fd < 0) {
      const errno = calls.errno();
      for (const each of taken) calls.close(each);
      // Without permission to read its root, a process gets no result.
      return errno === Errno.EMFILE || errno === Errno.ENFILE ? taken.length : count;
    }
    taken.push(fd);
  }
  for (const fd of taken) calls.close(fd);
  return count;
}

/**
 * Counts the open descriptors of this process and reads the limit.
 *
 * @param system libc.
 * @returns Null if one of the two is unknown.
 */
export function countDescriptors(
  { calls, platform, memory }: System,
): { limit: number; open: number } | null {
  const darwin = platform === "darwin";
  const RLIMIT_NOFILE = darwin ? 8 : 7;
  const limit = memory.region(16);
  if (calls.getrlimit(RLIMIT_NOFILE, limit.address) < 0) return null;
  const soft = Number(limit.view.getBigUint64(0, true));
  const directory = calls.opendir(cString(darwin ? "/dev/fd" : "/proc/self/fd"));
  if (directory === null) return null;
  let entries = 0;
  while (calls.readdir(directory) !== null) entries++;
  calls.closedir(directory);
  // Without ".", ".." and the folder's own descriptor.
  return { limit: soft >= Number.MAX_SAFE_INTEGER ? Infinity : soft, open: Math.max(0, entries - 3) };
}
