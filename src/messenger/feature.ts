import type { OptionTable } from "../core/mod.ts";
import type { SystemPort } from "./system_port.ts";

/** A part of the library that stands on a messenger: everything that others have to know of it. */
export interface MessengerFeature<Options extends object, Attached> {
  /** The flag by which instances agree on it in `_hello`, for `supports`; absent if there is nothing to agree on. */
  readonly flag?: string | undefined;
  /** Its options of `Messenger.create`. */
  readonly options: OptionTable<Options>;
  /** Attaches it to a new messenger. The result is the messenger's for as long as it exists. */
  attach(port: SystemPort, options: Options): Attached;
}

/** A feature, whatever its types are. */
export type AnyFeature = MessengerFeature<Record<never, never>, unknown>;
