// Write a .br and a .gz file for each file of the build. They replace it, except a page, so that the zip stays small.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const FOLDER = new URL("../../build/console/", import.meta.url);
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };

for (const name of await readdir(FOLDER, { recursive: true })) {
  if (!/\.(html|js|css|svg)$/.test(name)) continue;
  const file = new URL(name, FOLDER);
  const content = await readFile(file);
  await writeFile(new URL(`${name}.br`, FOLDER), await promisify(brotliCompress)(content, BROTLI));
  await writeFile(new URL(`${name}.gz`, FOLDER), await promisify(gzip)(content, { level: 9 }));
  if (!name.endsWith(".html")) await rm(file);
}
