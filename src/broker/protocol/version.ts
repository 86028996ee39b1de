/** The versions of the broker's protocol that this library speaks. */
export const protocolVersions = { lowest: 1, highest: 1 } as const;

/** A range of versions. */
export interface VersionRange {
  readonly lowest: number;
  readonly highest: number;
}

/** The version that two sides speak: the highest of the one that knows fewer; null without a common one. */
export function commonVersion(own: VersionRange, other: VersionRange): number | null {
  const version = Math.min(own.highest, other.highest);
  return version >= Math.max(own.lowest, other.lowest) ? version : null;
}
