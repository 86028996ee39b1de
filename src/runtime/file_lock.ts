/** A kernel lock on an open file. It ends when it is disposed, or with the process. */
export interface FileLock extends Disposable {
  /** Inode of the locked file; another file may have been renamed over its path since. */
  readonly inode: number;
}

/** Advisory locks on whole files (`flock`), shared with programs in other languages. */
export interface FileLocks {
  /**
   * Opens a file and locks it without waiting.
   *
   * @param path The file.
   * @param options `exclusive` (the default) or shared; `create` makes a missing file, mode 0600.
   * @returns Null when a conflicting lock is held.
   * @throws {Error} The error of opening the file.
   */
  tryLock(
    path: string,
    options?: { exclusive?: boolean | undefined; create?: boolean | undefined },
  ): FileLock | null;
}
