/** The version in `package.json`. */
export const libraryVersion = "0.2.0";
