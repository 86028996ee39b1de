import { option, type OptionTable } from "../../core/mod.ts";

/** Limits of the files that are copied for one module. */
export interface ModuleLimits {
  /** Files, the module included; with more the copy fails with `ACTOR_UPDATE_FAILED`. @default {1_000} */
  maxFiles?: number | undefined;
  /** Bytes of all files; with more the copy fails with `ACTOR_UPDATE_FAILED`. @default {16_777_216} */
  maxBytes?: number | undefined;
}

/** The limits of {@link ModuleLimits}. */
export const moduleLimitTable = {
  maxFiles: option.whole(1, 1_000_000).or(1_000),
  maxBytes: option.whole(1, 0x7fff_ffff).or(16 * 1024 * 1024),
} satisfies OptionTable<ModuleLimits>;
