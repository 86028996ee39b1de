/** Checks that `package.json`, `deno.json`, `tsconfig.json` and the lock file agree. */

/** The manifests, as parsed JSON or as text. */
export interface Manifests {
  readonly packageJson: Json;
  readonly denoJson: Json;
  readonly tsconfig: Json;
  /** `package-lock.json`. */
  readonly lock: string;
  /** `CHANGELOG.md`. */
  readonly changelog: string;
  /** Whether a file exists in the repository. */
  readonly exists: (path: string) => boolean;
}

/** A parsed JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** The names of scripts and tasks that both manifests must have. */
export const taskNames: readonly string[] = [
  "quickstart",
  "test",
  "test:bun",
  "test:deno",
  "test:quick",
  "test:long",
  "check",
  "bench",
  "build",
  "build:binary",
  "build:binary:deno",
  "docs:api",
];

/** Scripts for npm only, which runs them by itself. */
const npmOnly = new Set(["prepack"]);

/** The contradictions between the manifests. */
export function manifestProblems(manifests: Manifests): string[] {
  return [
    ...identityProblems(manifests),
    ...exportProblems(manifests),
    ...taskProblems(manifests),
    ...lockProblems(manifests),
  ];
}

function identityProblems({ packageJson, denoJson, changelog }: Manifests): string[] {
  const problems: string[] = [];
  const version = String(packageJson["version"]);
  if (denoJson["version"] !== version) {
    problems.push(`version: package.json has ${version}, deno.json ${String(denoJson["version"])}`);
  }
  // JSR requires a scope before the name.
  if (String(denoJson["name"]).replace(/^@[^/]+\//, "") !== packageJson["name"]) {
    problems.push(`name: ${String(packageJson["name"])} and ${String(denoJson["name"])}`);
  }
  if (packageJson["license"] !== denoJson["license"]) problems.push("license differs");
  if (!new RegExp(`^## ${version.replaceAll(".", "\\.")}\\b`, "m").test(changelog)) {
    problems.push(`CHANGELOG.md has no section "## ${version}"`);
  }
  return problems;
}

/** The built files of an entry point. */
export function publishedExport(source: string): { types: string; default: string } {
  const compiled = source.replace(/^\.\//, "./dist/lib/").replace(/\.ts$/, "");
  return { types: `${compiled}.d.ts`, default: `${compiled}.js` };
}

function exportProblems({ packageJson, denoJson, tsconfig, exists }: Manifests): string[] {
  const problems: string[] = [];
  const sources = record(denoJson["exports"]);
  const published = record(packageJson["exports"]);
  const imports = record(denoJson["imports"]);
  const paths = record(record(tsconfig["compilerOptions"])["paths"]);
  for (const key of new Set([...Object.keys(sources), ...Object.keys(published)])) {
    const source = sources[key];
    if (typeof source !== "string") {
      problems.push(`exports: deno.json lacks ${key}`);
      continue;
    }
    if (!exists(source)) problems.push(`exports: ${key} leads to ${source}, which does not exist`);
    const wanted = publishedExport(source);
    if (JSON.stringify(published[key]) !== JSON.stringify(wanted)) {
      problems.push(`exports: package.json should have ${JSON.stringify(key)}: ${JSON.stringify(wanted)}`);
    }
    const specifier = key.replace(/^\./, "zeromesh");
    const folder = key === "."
      ? "./src/mod.ts"
      : key === "./ffi"
      ? "./ffi/mod.ts"
      : `./src${key.slice(1)}/mod.ts`;
    // zeromesh/discovery/etcd is src/discovery/etcd.ts: a file beside the folder's mod.ts.
    if (source !== folder && source !== folder.replace("/mod.ts", ".ts")) {
      problems.push(`exports: ${specifier} should lead to ${folder}, not ${source}`);
    }
    if (imports[specifier] !== source) problems.push(`imports: deno.json lacks "${specifier}": "${source}"`);
    if (JSON.stringify(paths[specifier]) !== JSON.stringify([source])) {
      problems.push(`paths: tsconfig.json lacks "${specifier}": ["${source}"]`);
    }
  }
  return problems;
}

function taskProblems({ packageJson, denoJson }: Manifests): string[] {
  const problems: string[] = [];
  const scripts = record(packageJson["scripts"]);
  const tasks = record(denoJson["tasks"]);
  for (const name of new Set([...taskNames, ...Object.keys(scripts), ...Object.keys(tasks)])) {
    if (npmOnly.has(name)) continue;
    if (scripts[name] === undefined) problems.push(`scripts: package.json lacks ${name}`);
    if (tasks[name] === undefined) problems.push(`tasks: deno.json lacks ${name}`);
    for (const command of commandsOf(tasks[name])) {
      // Deno's shell runs the programs in node_modules/.bin as JavaScript; `env` starts them as they are.
      if (!/^env (?:bun|deno) /.test(command)) {
        problems.push(`tasks: ${name} must begin with "env bun" or "env deno"`);
      }
    }
  }
  return problems;
}

function commandsOf(task: unknown): string[] {
  const text = typeof task === "string" ? task : record(task)["command"];
  return typeof text === "string" ? text.split("&&").map((command) => command.trim()) : [];
}

function lockProblems({ packageJson, lock }: Manifests): string[] {
  const problems: string[] = [];
  for (const [index, line] of lock.split("\n").entries()) {
    if (/"resolved"|:\/\//.test(line)) {
      problems.push(`package-lock.json:${index + 1}: names a host: ${line.trim()}`);
    }
  }
  const parsed: unknown = JSON.parse(lock);
  const root = record(record(record(parsed)["packages"])[""]);
  for (const key of ["version", "dependencies", "devDependencies", "optionalDependencies"]) {
    if (JSON.stringify(sorted(root[key])) !== JSON.stringify(sorted(packageJson[key]))) {
      problems.push(`package-lock.json: ${key} differs from package.json; run npm install`);
    }
  }
  return [...problems, ...missingPackages(record(record(parsed)["packages"]))];
}

/**
 * Packages whose absence `npm ci` would refuse. npm omits other platforms' packages from a lock file that it writes
 * beside an existing `node_modules`, but requires them in a fresh clone.
 */
function missingPackages(packages: Json): string[] {
  const problems: string[] = [];
  for (const [place, entry] of Object.entries(packages)) {
    for (const name of Object.keys(record(record(entry)["optionalDependencies"]))) {
      // The nearest folder that has it, as in module resolution.
      const folders = place.split("/node_modules/").map((_, depth, parts) =>
        depth === 0 ? "" : `${parts.slice(0, depth).join("/node_modules/")}/`
      );
      if ([...folders, `${place}/`].some((folder) => `${folder}node_modules/${name}` in packages)) continue;
      problems.push(
        `package-lock.json: ${place} wants ${name}, which is not in it; ` +
          "remove node_modules and the lock file and run npm install",
      );
    }
  }
  return problems;
}

function record(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}
