// Runs exported files in ONNX Runtime for JavaScript; returns for each the largest difference, in
// parts of the largest number, or the error. `read(file)` gives a file of the cases as a buffer.
export async function runCases(read, ort) {
  const results = {};
  for (const { name, inputs, outputs } of JSON.parse(new TextDecoder().decode(await read("cases.json")))) {
    try {
      const session = await ort.InferenceSession.create(new Uint8Array(await read(`${name}.onnx`)));
      const feeds = {};
      for (const { name: input, type, dims, data } of inputs) {
        const kinds = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };
        const values = type === "int64" ? data.map(BigInt) : data;
        feeds[input] = new ort.Tensor(type, kinds[type].from(values), dims);
      }
      const found = await session.run(feeds);
      let apart = 0;
      for (const { name: output, data } of outputs) {
        const scale = data.reduce((most, right) => Math.max(most, Math.abs(right)), 0);
        const got = Array.from(found[output].data, Number);
        if (got.length !== data.length) throw new Error(`${output} has ${got.length} numbers`);
        data.forEach((right, i) => (apart = Math.max(apart, Math.abs(got[i] - right) / scale)));
      }
      results[name] = Number.isNaN(apart) ? "NaN" : apart;
    } catch (error) {
      results[name] = `${error}`;
    }
  }
  return results;
}
