/** The licences of what a compiled program carries, as the text that its `--licenses` prints. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { repositoryRoot } from "../test/support/runtime.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Of this package only the library inside is carried, and that has a notice of its own. */
const libraryPackage = "zeromq";

/**
 * The licences of zeromesh, of libzmq and of every package that zeromesh can bring into a program.
 *
 * @param libzmqVersion The version of the libzmq that is carried.
 * @throws {Error} If a package has no text of its licence, so that none is left out unnoticed.
 */
export function licensesText(libzmqVersion: string): string {
  const own = readManifest(repositoryRoot);
  const parts = [section(own, licenseFile(repositoryRoot)), libzmqNotice(libzmqVersion), runtimeNotice];
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
there under the terms of that licence. A libzmq with CURVE can have libsodium in it (ISC licence, Copyright (c)
Frank Denis; https://github.com/jedisct1/libsodium).

${readFileSync(mpl, "utf8").trimEnd()}
`;
}

const runtimeNotice = `Bun (MIT)

This program carries the runtime Bun and the libraries it is linked with, among them JavaScriptCore and WebKit under
the LGPL-2. Their licences, and how to relink them, are at https://bun.com/docs/project/license
`;

function section({ name, version, license }: Manifest, file: string): string {
  return `${name} ${version} (${license ?? "see below"})\n\n${readFileSync(file, "utf8").trimEnd()}\n`;
}

function licenseFile(folder: string): string {
  const name = readdirSync(folder).find((name) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(name));
  if (name === undefined) throw new Error(`Cannot print the licence of ${folder}: it has no LICENSE file`);
  return `${folder}/${name}`;
}

/** The folders of everything that is installed and that a package depends on, directly or not. */
function dependencyFolders(root: Manifest): string[] {
  const folders = new Map<string, string>();
  const visit = (from: Manifest): void => {
    // Of other packages' optional parts (msgpackr's addon) none is carried.
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
