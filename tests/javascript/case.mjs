// Trains, measures and predicts what Python has done, too; the same in Node and in a browser.

const TYPES = { float32: Float32Array, int32: Int32Array };

/**
 * @param read - gives the bytes of a file of the case by its name.
 * @param driver - the module seqonnx.js.
 * @param ort - ONNX Runtime.
 */
export async function runCase(read, driver, ort) {
  const { steps, data } = JSON.parse(new TextDecoder().decode(await read("case.json")));
  const arrays = {};
  for (const { name, dtype, shape } of data) {
    const bytes = new Uint8Array(await read(`${name}.bin`));
    arrays[name] = { values: new TYPES[dtype](bytes.buffer), shape };
  }
  // The first axis of the data counts the batches.
  const part = (name, i) => {
    const { values, shape } = arrays[name];
    const size = values.length / shape[0];
    return { data: values.subarray(i * size, (i + 1) * size), dims: shape.slice(1) };
  };
  const named = (prefix, i) => {
    const names = Object.keys(arrays).filter((name) => name.startsWith(prefix));
    if (names.length === 0) return undefined;
    if (names.length === 1) return part(names[0], i);
    return Object.fromEntries(names.map((name) => [name.slice(prefix.length), part(name, i)]));
  };
  const batch = (i) => ["x.", "y.", "w."].map((prefix) => named(prefix, i));
  const training = await driver.load(read, ort);
  const logs = [];
  for (let i = 0; i < steps; i++) logs.push(await training.trainOnBatch(...batch(i)));
  const evaluated = await training.evaluate([batch(0), batch(1)]);
  const predicted = await training.predict(batch(0)[0]);
  const outputs = predicted.data ? { only: predicted } : predicted;
  const results = Object.entries(outputs).map(([name, tensor]) => [name, [...tensor.data]]);
  return {
    result: { logs, evaluated, predicted: Object.fromEntries(results) },
    state: training.save(),
  };
}
