/** Whether tests of keys can run. */
import { openBackend } from "../../ffi/mod.ts";

const { library } = await openBackend();

/** Why there are no keys here; false where there are. */
export const noCurve: string | false = library.capabilities.includes("curve")
  ? false
  : "this libzmq has no CURVE";
