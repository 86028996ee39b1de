/**
 * Differences of the runtimes besides libzmq, each behind one interface.
 *
 * @module
 */
export type { FileLock, FileLocks } from "./file_lock.ts";
export { openFileLocks } from "./open_file_locks.ts";
