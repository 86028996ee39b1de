/** The licences of the parts of a compiled program, as its `--licenses` prints them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { repositoryRoot, type RuntimeName } from "../test/support/runtime.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Its addon is the embedded file: libzmq, libsodium and an unused layer for Node. */
const libraryPackage = "zeromq";

/**
 * The licences of zeromesh, of libzmq, of the runtime and of every package that zeromesh may bring into a program.
 *
 * @param library The embedded libzmq.
 * @param runtime The embedded runtime.
 * @throws {Error} If a package has no licence text, so that none is missed.
 */
export function licensesText(library: { path: string; version: string }, runtime: RuntimeName): string {
  const own = readManifest(repositoryRoot);
  const parts = [section(own, licenseFile(repositoryRoot)), libzmqNotice(library.version)];
  if (readFileSync(library.path).includes("sodium_init")) parts.push(sodiumNotice);
  parts.push(runtime === "bun" ? bunNotice : denoNotice());
  if (library.path.includes(`/node_modules/${libraryPackage}/`)) {
    const folder = `${repositoryRoot}/node_modules/${libraryPackage}`;
    parts.push(section(readManifest(folder), licenseFile(folder)));
  }
  for (const folder of dependencyFolders(own)) {
    parts.push(section(readManifest(folder), licenseFile(folder)));
  }
  return parts.join(`\n${"=".repeat(78)}\n\n`);
}

function libzmqNotice(version: string): string {
  const mpl = `${repositoryRoot}/node_modules/${libraryPackage}/LICENSE_MPL-2.0.txt`;
  if (!existsSync(mpl)) throw new Error(`Cannot print libzmq's licence: ${mpl} is missing; run npm install`);
  return `libzmq ${version} (MPL-2.0)

This program carries libzmq, unchanged, as a shared library. From version 4.3.5 on libzmq is under the Mozilla
Public License, version 2.0 (https://www.mozilla.org/MPL/2.0/). Its source is at https://github.com/zeromq/libzmq and can be had
there under the terms of that licence.

${readFileSync(mpl, "utf8").trimEnd()}
`;
}

// The ISC licence requires its text in every copy; no package here has it as a file.
const sodiumNotice = `libsodium (ISC)

The libzmq in this program is linked with libsodium, https://github.com/jedisct1/libsodium, for CURVE.

Copyright (c) 2013-2024 Frank Denis <j at pureftpd dot org>

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN
AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
PERFORMANCE OF THIS SOFTWARE.
`;

const bunNotice = `Bun (MIT)

This program carries the runtime Bun and the libraries it is linked with, among them JavaScriptCore and WebKit under
the LGPL-2. Their licences, and how to relink them, are at https://bun.com/docs/project/license
`;

function denoNotice(): string {
  return `Deno (MIT)

This program carries the runtime Deno and the libraries it is linked with, among them V8 under the BSD licence. Their
source and licences are at https://github.com/denoland/deno

${readFileSync(licenseFile(`${repositoryRoot}/node_modules/deno`), "utf8").trimEnd()}
`;
}

function section({ name, version, license }: Manifest, file: string): string {
  return `${name} ${version} (${license ?? "see below"})\n\n${readFileSync(file, "utf8").trimEnd()}\n`;
}

function licenseFile(folder: string): string {
  const name = readdirSync(folder).find((name) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(name));
  if (name === undefined) throw new Error(`Cannot print the licence of ${folder}: it has no LICENSE file`);
  return `${folder}/${name}`;
}

/** The folders of all installed packages that a package depends on, directly or not. */
function dependencyFolders(root: Manifest): string[] {
  const folders = new Map<string, string>();
  const visit = (from: Manifest): void => {
    // Optional parts of other packages are not embedded.
    const optional = from === root ? root.optionalDependencies : {};
    for (const name of Object.keys({ ...from.dependencies, ...optional })) {
      const folder = `${repositoryRoot}/node_modules/${name}`;
      if (name === libraryPackage || folders.has(name) || !existsSync(`${folder}/package.json`)) continue;
      folders.set(name, folder);
      visit(readManifest(folder));
    }
  };
  visit(root);
  return [...folders].sort(([a], [b]) => a < b ? -1 : 1).map(([, folder]) => folder);
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as Manifest;
}
