/** Certificates for tests of TLS: an authority made by openssl on the fly, and what it vouches for. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { programPath } from "./servers.ts";

/** A certificate and its key, as PEM text and as files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority, a server for 127.0.0.1 and localhost, a client, and one without a common name. */
export interface Certificates {
  readonly ca: Certificate;
  readonly server: Certificate;
  readonly client: Certificate;
  readonly nameless: Certificate;
}

// Bun keeps the descriptors of what waits for such processes for good; they are no leak of the test that runs the first.
spawnSync("true");

function openssl(args: readonly string[]): void {
  const { status, stderr } = spawnSync(programPath("openssl") ?? "openssl", [...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`);
}

function read(name: string): Certificate {
  const [certFile, keyFile] = [`${name}.crt`, `${name}.key`];
  return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), certFile, keyFile };
}

/** Makes everything in a folder. */
export function makeCertificates(folder: string): Certificates {
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const ca = `${folder}/ca`;
  openssl([
    "req",
    "-x509",
    ...newKey,
    ...["-keyout", `${ca}.key`, "-out", `${ca}.crt`, "-subj", "/CN=test authority", "-days", "2"],
  ]);
  const issue = (name: string, subject = `/CN=${name}`): Certificate => {
    const path = `${folder}/${name}`;
    openssl(["req", ...newKey, "-keyout", `${path}.key`, "-out", `${path}.csr`, "-subj", subject]);
    writeFileSync(
      `${path}.ext`,
      "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n" +
        "extendedKeyUsage=serverAuth,clientAuth\n",
    );
    openssl([
      ...["x509", "-req", "-in", `${path}.csr`, "-CA", `${ca}.crt`, "-CAkey", `${ca}.key`, "-CAcreateserial"],
      ...["-out", `${path}.crt`, "-days", "2", "-extfile", `${path}.ext`],
    ]);
    return read(path);
  };
  return {
    ca: read(ca),
    server: issue("server"),
    client: issue("client"),
    nameless: issue("nameless", "/O=mesh"),
  };
}
