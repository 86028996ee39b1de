/**
 * What the runtimes do differently besides libzmq, each behind one interface.
 *
 * @module
 */
export { runsFromBinary } from "./binary.ts";
export type { FileLock, FileLocks } from "./file_lock.ts";
export { openFileLocks } from "./open_file_locks.ts";
export { onProgramEnd } from "./program_end.ts";
