/**
 * The few things besides libzmq in which the runtimes differ, each behind one interface.
 *
 * @module
 */
export { type FileLock, type FileLocks, openFileLocks } from "./file_lock.ts";
