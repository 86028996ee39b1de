import { ZeromeshError } from "./errors.ts";
import { isSystemName } from "./system_name.ts";

/**
 * Awaits a method's calls to built-in handlers. Their errors name the handler, which users do not know, so the message
 * is changed to name the method.
 */
export async function asMethod<T>(method: string, calls: Promise<T>): Promise<T> {
  try {
    return await calls;
  } catch (error) {
    throw naming(method, error);
  }
}

function naming(method: string, error: unknown): unknown {
  if (!(error instanceof ZeromeshError) || !isSystemName(error.handler ?? "")) return error;
  const { code, handler, peer, ran, details, cause } = error;
  const message = error.message.replaceAll(`"${handler}"`, `${method}()`);
  if (message === error.message) return error;
  const options = { peer, handler, ran, details };
  return new ZeromeshError(code, message, cause === undefined ? options : { ...options, cause });
}
