// node node.mjs PACKAGES FOLDER: prints the results of `runCases` in onnxruntime-node, as JSON.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runCases } from "./read.mjs";

const [packages, folder] = process.argv.slice(2);
const require = createRequire(join(packages, "node_modules", "x.js"));
const ort = require("onnxruntime-node");
const { version } = require("onnxruntime-node/package.json");
const results = await runCases((file) => readFile(join(folder, file)), ort);
console.log(JSON.stringify({ version, results }));
