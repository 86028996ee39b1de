import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { errorText, ZeromeshError } from "../src/core/mod.ts";
import type { LibraryInfo } from "./backend.ts";
import { cString } from "./c_string.ts";
import { capabilities, type Capability } from "./constants.ts";

/** The environment variable with the path of libzmq. */
export const libraryVariable = "ZEROMESH_LIBZMQ";
/** The oldest version whose monitor reports the result of a handshake. */
const oldest = { major: 4, minor: 3 };

let embedded: string | undefined;

/**
 * Registers the libzmq that is embedded in a compiled program, for {@link openBackend}.
 *
 * To be called before the first use; nothing is opened or checked here. An explicit option and the variable
 * `ZEROMESH_LIBZMQ` take precedence.
 *
 * @param path Path inside the program: `import.meta.dirname + "/libzmq.so"`, or on Bun the default import of
 * `import path from "./libzmq.so" with { type: "file" }`. Null removes it.
 */
export function embeddedLibrary(path: string | null): void {
  embedded = path ?? undefined;
}

/** A candidate for libzmq that was not usable. */
export interface RefusedCandidate {
  /** Origin of the candidate. */
  readonly origin: LibraryInfo["origin"];
  /** The path or name; for an inaccessible place its description. */
  readonly path: string;
  /** The loader's text, or the missing part. */
  readonly reason: string;
}

/** The runtime, as the search uses it. */
export interface LibraryHost {
  /** The value of an environment variable, or why reading it is refused. */
  variable(name: string): { readonly value: string | undefined } | { readonly refused: string };
  /** Null if files below this folder may be read, otherwise why not. */
  readRefusal(path: string): string | null;
  /** The runtime's folder of a package outside `node_modules`; null without one. */
  packageFolder?(name: string): string | null;
}

/** An opened candidate, with the calls that examine it. */
export interface Candidate {
  readonly zmq: {
    /** `zmq_version`. */
    version(major: Uint8Array, minor: Uint8Array, patch: Uint8Array): void;
    /** `zmq_has`. */
    has(capability: Uint8Array): number;
  };
}

/** A place of the search for libzmq. */
export type SearchPlace = "embedded" | "system" | "bundled";

/** The default places, in order. */
export const defaultSearch: readonly SearchPlace[] = Object.freeze(["embedded", "system", "bundled"]);

/** The user's choice of the library. */
export interface LibraryChoice {
  /** The only path to try. */
  readonly library?: string | undefined;
  /** Places to search otherwise, in order. @default {["embedded", "system", "bundled"]} */
  readonly search?: readonly SearchPlace[] | undefined;
}

/** Options of {@link openLibrary}. */
export interface OpenLibraryOptions<Library extends Candidate> {
  /** The user's choice. */
  readonly choice: LibraryChoice;
  /** Folders from which `node_modules` is searched upwards. @default {this file's and the working one} */
  readonly folders?: readonly string[] | undefined;
  /** The runtime. */
  readonly host: LibraryHost;
  /** Opens a path with all required symbols, or throws with the loader's text. */
  readonly open: (path: string) => Library;
}

/**
 * Opens the first usable libzmq.
 *
 * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`; its message and its `details` (of {@link RefusedCandidate}s) list every
 * candidate with the reason.
 */
export function openLibrary<Library extends Candidate>(
  options: OpenLibraryOptions<Library>,
): { library: Library; info: LibraryInfo } {
  const refused: RefusedCandidate[] = [];
  const attempt = (origin: LibraryInfo["origin"], path: string) => {
    try {
      return inspect(origin, path, options.open);
    } catch (error) {
      // An embedded file is unpacked into the temporary folder, which some hosts mount without execution.
      const hint = origin === "embedded" ? " (the folder it lies in must allow execution)" : "";
      refused.push({ origin, path, reason: errorText(error) + hint });
      return null;
    }
  };
  const { library, search } = options.choice;
  if (library !== undefined) {
    const found = attempt("option", library);
    if (found !== null) return found;
    throw notUsable(`the libzmq named by the option 'library'`, refused);
  }
  const variable = options.host.variable(libraryVariable);
  if ("refused" in variable) {
    refused.push({ origin: "environment", path: libraryVariable, reason: variable.refused });
  } else if (variable.value !== undefined && variable.value !== "") {
    const found = attempt("environment", variable.value);
    if (found !== null) return found;
    throw notUsable(`the libzmq named by the variable ${libraryVariable}`, refused);
  }
  for (const place of search ?? defaultSearch) {
    for (const path of candidates(place, options, refused)) {
      const found = attempt(place, path);
      if (found !== null) return found;
    }
  }
  throw notFound(refused);
}

function inspect<Library extends Candidate>(
  origin: LibraryInfo["origin"],
  path: string,
  open: (path: string) => Library,
): { library: Library; info: LibraryInfo } {
  const library = open(path);
  const { zmq } = library;
  const numbers = [0, 1, 2].map(() => new Uint8Array(new ArrayBuffer(8)));
  zmq.version(numbers[0]!, numbers[1]!, numbers[2]!);
  const [major, minor, patch] = numbers.map((bytes) => new DataView(bytes.buffer).getInt32(0, true));
  const version = `${major}.${minor}.${patch}`;
  if (major! < oldest.major || (major === oldest.major && minor! < oldest.minor)) {
    throw new Error(`it is libzmq ${version}, and ${oldest.major}.${oldest.minor} or newer is needed`);
  }
  const found = capabilities.filter((name) => zmq.has(cString(name)) === 1);
  if (origin === "bundled" && !found.includes("curve" satisfies Capability)) {
    throw new Error("it has no CURVE");
  }
  return { library, info: { path, origin, version, capabilities: found } };
}

/** The candidates of a place. Inaccessible ones are added to `refused`. */
function candidates<Library extends Candidate>(
  place: SearchPlace,
  { host, folders }: OpenLibraryOptions<Library>,
  refused: RefusedCandidate[],
): readonly string[] {
  switch (place) {
    case "embedded":
      return embedded === undefined ? [] : [embedded];
    case "system":
      return systemNames();
    case "bundled":
      // The addons for Windows export no C functions, and those for macOS are untested.
      return process.platform === "linux" ? bundledFiles(host, folders ?? startFolders(), refused) : [];
  }
}

function systemNames(): readonly string[] {
  switch (process.platform) {
    case "darwin":
      return [
        "libzmq.5.dylib",
        "/opt/homebrew/lib/libzmq.5.dylib",
        "/usr/local/lib/libzmq.5.dylib",
        "/opt/local/lib/libzmq.5.dylib",
        "libzmq.dylib",
      ];
    case "win32":
      return ["libzmq.dll"];
    default:
      return ["libzmq.so.5", "libzmq.so"];
  }
}

/** The libzmq files of the npm package `zeromq` for this machine, most likely first. */
function bundledFiles(host: LibraryHost, starts: readonly string[], refused: RefusedCandidate[]): string[] {
  const folders = packageFolders(host, starts, refused);
  const files: string[] = [];
  for (const folder of folders) {
    try {
      files.push(...manifestFiles(folder));
    } catch (error) {
      refused.push({
        origin: "bundled",
        path: join(folder, "build", "manifest.json"),
        reason: errorText(error),
      });
    }
  }
  if (folders.length === 0) {
    refused.push({ origin: "bundled", path: "npm package zeromq", reason: "not found in any node_modules" });
  }
  return files;
}

function packageFolders(host: LibraryHost, starts: readonly string[], refused: RefusedCandidate[]): string[] {
  const folders = new Set<string>();
  for (const start of starts) {
    const refusal = host.readRefusal(start);
    if (refusal !== null) {
      refused.push({ origin: "bundled", path: join(start, "node_modules", "zeromq"), reason: refusal });
      continue;
    }
    for (let folder = start;; folder = dirname(folder)) {
      const found = join(folder, "node_modules", "zeromq");
      if (host.readRefusal(found) === null && existsSync(join(found, "build", "manifest.json"))) {
        folders.add(found);
      }
      if (dirname(folder) === folder) break;
    }
  }
  const kept = folders.size === 0 ? host.packageFolder?.("zeromq") ?? null : null;
  if (kept !== null) folders.add(kept);
  return [...folders];
}

function startFolders(): string[] {
  const starts = new Set<string>();
  if (import.meta.url.startsWith("file:")) starts.add(dirname(fileURLToPath(import.meta.url)));
  try {
    starts.add(process.cwd());
  } catch {
    // The working directory may be missing or unreadable.
  }
  return [...starts];
}

interface ManifestEntry {
  readonly os?: unknown;
  readonly arch?: unknown;
  readonly libc?: unknown;
  readonly abi?: unknown;
}

/**
 * The files named in the manifest: other files of the package load as well but lack CURVE.
 *
 * Those for ABI 127 come first, because they are built against the oldest glibc.
 */
function manifestFiles(folder: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, "build", "manifest.json"), "utf8"));
  const libc = isMusl() ? "musl" : "glibc";
  const files: { path: string; abi: unknown }[] = [];
  for (const [key, file] of Object.entries(manifest as Record<string, unknown>)) {
    const entry = JSON.parse(key) as ManifestEntry;
    if (entry.os !== process.platform || entry.arch !== process.arch || entry.libc !== libc) continue;
    const path = join(folder, "build", String(file));
    if (existsSync(path)) files.push({ path, abi: entry.abi });
  }
  return files.sort((a, b) => Number(b.abi === 127) - Number(a.abi === 127)).map(({ path }) => path);
}

function isMusl(): boolean {
  const [glibc, musl] = process.arch === "arm64"
    ? ["/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"]
    : ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"];
  return existsSync(musl) && !existsSync(glibc);
}

function list(refused: readonly RefusedCandidate[]): string {
  if (refused.length === 0) return " nothing";
  return refused.map(({ origin, path, reason }) => `\n  - ${origin}: ${path}: ${reason}`).join("");
}

function notUsable(what: string, refused: readonly RefusedCandidate[]): ZeromeshError {
  return new ZeromeshError(
    "LIBZMQ_NOT_FOUND",
    `Cannot load ${what}; correct the path, or leave it out to search the usual places:${list(refused)}`,
    { details: { candidates: refused } },
  );
}

function notFound(refused: readonly RefusedCandidate[]): ZeromeshError {
  return new ZeromeshError(
    "LIBZMQ_NOT_FOUND",
    "Cannot find a usable libzmq; install it (Debian and Ubuntu: libzmq5, Fedora and Alpine: zeromq, " +
      "macOS: brew install zeromq), or on Linux add the npm package zeromq, or name a file in the option " +
      `'library' or the variable ${libraryVariable}. Tried:${list(refused)}`,
    { details: { candidates: refused } },
  );
}
