// node driver_checks.mjs PACKAGES FOLDER: what seqonnx.js does besides training, as JSON.

import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, folder] = process.argv.slice(2);
const ort = createRequire(`${packages}/`)("onnxruntime-node");
const { load, uniform } = await import(pathToFileURL(`${folder}/seqonnx.js`));
const plan = JSON.parse(await readFile(`${folder}/plan.json`));
const results = {};

// Noise: multiples of 2 ** -24 at given places.
results.noise = plan.noise.map(([seed, stream, step, sample, element]) => {
  const values = uniform(seed, stream, step, [sample + 1, element + 1]);
  return values.at(-1) * 2 ** 24;
});

// Learning rates: what a graph would be fed, at each of 40 steps.
const manifest = JSON.parse(await readFile(`${folder}/manifest.json`));
const encode = (value) => new TextEncoder().encode(JSON.stringify(value));
results.rates = [];
for (const schedule of plan.schedules) {
  const rates = [];
  const fake = {
    Tensor: ort.Tensor,
    InferenceSession: {
      create: async () => ({
        inputNames: ["learning_rate"],
        run: async (feeds) => (rates.push(feeds.learning_rate.data[0]), { loss: { data: [0] } }),
      }),
    },
  };
  const changed = { ...manifest };
  changed.learning_rates = [{ ...manifest.learning_rates[0], schedule }];
  const read = (name) => (name === "manifest.json" ? encode(changed) : readFile(`${folder}/${name}`));
  const training = await load(read, fake);
  for (let i = 0; i < 40; i++) await training.trainOnBatch([0, 0, 0, 0], [0]);
  results.rates.push(rates);
}

// Weights: one flat array, averaged over two that have trained apart.
const [mine, yours] = [await load(folder, ort), await load(pathToFileURL(folder), ort)];
await mine.fit([[[1, 2, 3, 4], [1]]], { epochs: 2 });
const seen = [];
await yours.fit(() => [[[[4, 3, 2, 1]], [0]], [Float32Array.of(0, 1, 0, 1), [1n]]], {
  onBatch: (number, loss) => seen.push([number, Number.isFinite(loss)]),
  onEpoch: (epoch, logs) => seen.push([epoch, Object.keys(logs)]),
});
const [a, b] = [mine.getWeights(), yours.getWeights()];
yours.setWeights(a.map((value, i) => (value + b[i]) / 2));
const average = yours.getWeights();
results.weights = { a: [...a], b: [...b], average: [...average], seen };
mine.learningRate = 0;
const before = mine.getWeights();
await mine.trainOnBatch([1, 2, 3, 4], [1]);
results.still = mine.getWeights().slice(-10).every((value, i) => value === before.at(i - 10));
const both = await Promise.all([mine.predict([1, 2, 3, 4]), mine.trainOnBatch([1, 2, 3, 4], [1])]);
results.together = [both[0].dims, mine.steps, mine.epochs];
const again = await load(folder, ort, { state: mine.save() });
results.counters = [again.steps, again.epochs];

// Errors.
const broken = await mkdtemp(join(tmpdir(), "broken-"));
await cp(folder, broken, { recursive: true });
await rm(join(broken, "eval.onnx"));
const forward = await readFile(join(broken, "forward.onnx"));
forward[1] = 99; // the version of the file format, the first field of the file
await writeFile(join(broken, "forward.onnx"), forward);
const half = await load(broken, ort);
const newer = (name) => (name === "manifest.json" ? encode({ ...manifest, format: 2 }) : null);
const x = [1, 2, 3, 4];
const wrong = {
  "too few numbers": () => mine.trainOnBatch([1, 2, 3], [1]),
  "another number of targets": () => mine.trainOnBatch(x, [1, 0]),
  "another shape": () => mine.trainOnBatch({ data: x, dims: [2, 2] }, [1]),
  "no targets": () => mine.trainOnBatch(x),
  "weights that were not exported": () => mine.trainOnBatch(x, [1], [1]),
  "no numbers": () => mine.predict([]),
  "a fraction as a label": () => mine.trainOnBatch(x, [0.5]),
  "no batches": () => mine.fit([]),
  "batches that are used up": () => mine.fit([[x, [1]]].values(), { epochs: 2 }),
  "other weights": () => mine.setWeights([1, 2]),
  "no folder": () => load(`${folder}/nowhere`, ort),
  "a file that is missing": () => half.evaluate([[x, [1]]]),
  "a runtime that is too old": () => half.predict(x),
  "a manifest of later": () => load(newer, ort),
  "a state of another model": async () => load(folder, ort, { state: await readFile(plan.other) }),
};
results.errors = {};
for (const [name, act] of Object.entries(wrong)) {
  try {
    await act();
    results.errors[name] = "none";
  } catch (error) {
    results.errors[name] = error.message;
  }
}
results.after = await mine.trainOnBatch(x, [1]); // an error leaves the training as it was
await rm(broken, { recursive: true });
console.log(JSON.stringify(results));
