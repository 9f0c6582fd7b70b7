// node run_case.mjs PACKAGES FOLDER: runs the case in a folder in Node, and leaves the results there.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { runCase } from "./case.mjs";

const [packages, folder] = process.argv.slice(2);
const ort = createRequire(`${packages}/`)("onnxruntime-node");
const driver = await import(pathToFileURL(`${folder}/seqonnx.js`));
const { result, state } = await runCase((name) => readFile(`${folder}/${name}`), driver, ort);
await writeFile(`${folder}/node.json`, JSON.stringify(result));
await writeFile(`${folder}/node.safetensors`, state);
