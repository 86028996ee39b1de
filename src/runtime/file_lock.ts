/** A lock on an open file, as the kernel keeps it: it ends when disposed of, or with the process. */
export interface FileLock extends Disposable {
  /** The number of the file that was locked; another file may have been renamed over its path since. */
  readonly inode: number;
}

/** Advisory locks on whole files (`flock`), shared with programs in any language. */
export interface FileLocks {
  /**
   * Opens a file and locks it without waiting.
   *
   * @param path The file.
   * @param options `exclusive` (the default) or shared; `create` makes the file, mode 0600, when there is none.
   * @returns Null when somebody else holds a lock that excludes this one.
   * @throws {Error} What opening the file throws.
   */
  tryLock(
    path: string,
    options?: { exclusive?: boolean | undefined; create?: boolean | undefined },
  ): FileLock | null;
}
