import { errorText, ZeromeshError } from "../../core/mod.ts";

/** The error of a module that cannot be copied. */
export function moduleError(message: string, cause?: unknown): ZeromeshError {
  return new ZeromeshError("ACTOR_UPDATE_FAILED", message, cause === undefined ? {} : { cause });
}

/** The error of a file operation, with what to do about a missing permission. */
export function fileError(cannot: string, cause: unknown): ZeromeshError {
  if (ZeromeshError.is(cause)) return cause;
  return moduleError(`${cannot}: ${errorText(cause)}${isRefusal(cause) ? `; ${permissions}` : ""}`, cause);
}

const permissions =
  "the process must be able to read the package and to write its folder .zeromesh (Deno: --allow-read and --allow-write)";

/** The name of a file operation's error, such as `"ENOENT"`. */
export function fileErrorCode(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return typeof code === "string" ? code : undefined;
}

function isRefusal(error: unknown): boolean {
  const refused = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST"];
  // Deno names a permission that the program was not given by the error's name.
  return refused.includes(fileErrorCode(error) ?? "") ||
    (error instanceof Error && error.name === "NotCapable");
}
