/**
 * What the runtimes do differently besides libzmq, each behind one interface.
 *
 * @module
 */
export { runsFromBinary } from "./binary.ts";
export type { FileLock, FileLocks } from "./file_lock.ts";
export { openFileLocks } from "./open_file_locks.ts";
export { type OwnProcess, ownProcess } from "./process_info.ts";
export { onProgramEnd } from "./program_end.ts";
