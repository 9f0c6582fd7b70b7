// Drives what `model.export_training(folder)` of seqonnx has written. Described in seqonnx.d.ts.
const TYPES = { float32: Float32Array, float64: Float64Array, float16: Uint16Array,
  int64: BigInt64Array, int32: Int32Array, int16: Int16Array, int8: Int8Array,
  uint8: Uint8Array, bool: Uint8Array };
const codeOf = (dtype) => (dtype === "bool" ? "BOOL" : dtype[0].toUpperCase() + dtype.match(/\d+/));
const NEXT = "next/"; // the output `next/NAME` is the new value of the state NAME
const fail = (text, cause) => { throw new Error(`seqonnx: ${text}`, { cause }); };
const product = (sizes) => sizes.reduce((a, b) => a * b, 1);
const place = (flat, parts) => (parts.reduce((at, p) => (flat.set(p, at), at + p.length), 0), flat);
// The noise of dropout: seqonnx's generator "triple32", with the same bits as in Python.
function mix(x, k = 0) {
  x = Math.imul(x ^ (x >>> 17), 0xed5ad4bb) ^ k;
  x = Math.imul(x ^ (x >>> 11), 0xac4c1b51);
  x = Math.imul(x ^ (x >>> 15), 0x31848bab);
  return x ^ (x >>> 14);
}
export function uniform(seed, stream, step, dims) {
  const [G, values, each] = [0x9e3778c1, new Float32Array(product(dims)), product(dims.slice(1))];
  const [a, b] = [1, 2].map((key) => [...seed, stream, step].reduce((k, w) => mix(k ^ w), key));
  for (let i = 0; i < values.length; i++) {
    const counter = Math.imul(G, (i % each) + Math.imul(G, Math.floor(i / each)));
    values[i] = (mix(a + counter, b) >>> 8) / 2 ** 24;
  }
  return values;
}
// The schedules of the learning rate, after n steps.
const part = (c, n) => (c.staircase ? Math.floor(n / c.decay_steps) : n / c.decay_steps);
const wave = (x, height, low) => (1 - low) * 0.5 * height * (1 + Math.cos(Math.PI * x)) + low;
const SCHEDULES = {
  ExponentialDecay: (c, n) => c.initial_learning_rate * c.decay_rate ** part(c, n),
  InverseTimeDecay: (c, n) => c.initial_learning_rate / (1 + c.decay_rate * part(c, n)),
  PiecewiseConstantDecay: (c, n) => c.values[c.boundaries.filter((b) => n > b).length],
  PolynomialDecay({ initial_learning_rate: top, end_learning_rate: low, decay_steps, ...c }, n) {
    const steps = decay_steps * (c.cycle ? Math.max(1, Math.ceil(n / decay_steps)) : 1);
    return (top - low) * (1 - Math.min(n, steps) / steps) ** c.power + low;
  },
  CosineDecay({ initial_learning_rate: start, warmup_target: warm, warmup_steps, ...c }, n) {
    if (warm != null && n < warmup_steps) return start + ((warm - start) * n) / warmup_steps;
    const done = Math.min(warm == null ? n : n - warmup_steps, c.decay_steps);
    return (warm ?? start) * wave(done / c.decay_steps, 1, c.alpha);
  },
  CosineDecayRestarts({ initial_learning_rate: top, first_decay_steps: length, ...c }, n) {
    let height = 1;
    for (; n >= length; length *= c.t_mul, height *= c.m_mul) n -= length;
    return top * wave(n / length, height, c.alpha);
  },
};
async function readFile(folder, name) {
  if (folder instanceof Function) return folder(name);
  const path = String(folder).replace(/[^/]$/, "$&/") + name;
  if (globalThis.process?.versions?.node && !/^https?:/.test(path)) {
    const files = await import(/* webpackIgnore: true */ "node:fs/promises");
    return files.readFile(path.startsWith("file:") ? new URL(path) : path);
  }
  const answer = await fetch(path);
  return answer.ok ? answer.arrayBuffer() : fail(`the server answers ${answer.status}`);
}
export async function load(folder, ort, { state, session } = {}) {
  const read = async (name) => new Uint8Array(await readFile(folder, name).catch(
    (error) => fail(`cannot read ${name} of the training in ${folder}: ${error.message}`, error)));
  const manifest = JSON.parse(new TextDecoder().decode(await read("manifest.json")));
  if (manifest.format !== 1) fail(`manifests of format ${manifest.format} need another driver`);
  const weights = manifest.shared.map(async (path) => ({ path, data: await read(path) }));
  const options = { externalData: await Promise.all(weights), ...session };
  const open = async (name) => ort.InferenceSession.create(await read(name), options).catch(
    (error) => fail(`ONNX Runtime ${ort.env?.versions?.common} cannot load ${name}, of operator `
      + `set ${manifest.opset} for ${manifest.onnxruntime} or newer: ${error.message}`, error));
  const training = new Training(manifest, ort, open);
  training.setState(state ?? (await read(manifest.state_file)));
  return training;
}
class Training {
  learningRate = null; _draws = 0; _sessions = {}; _sums = {}; _turn = Promise.resolve();
  constructor(manifest, ort, open) {
    Object.assign(this, { manifest, _ort: ort, _open: open });
    this._kept = manifest.state.filter(({ kind }) => kind !== "metric");
    this._weights = manifest.state.filter(({ kind }) => kind === "weight" || kind === "statistic");
    this._size = this._weights.reduce((sum, { shape }) => sum + product(shape), 0);
  }
  trainOnBatch(x, y, sampleWeight) { return this._over("train", [[x, y, sampleWeight]], 0); }
  evaluate(batches) { return this._over("eval", batches, 0); }
  async fit(batches, { epochs = 1, onBatch, onEpoch } = {}) {
    const history = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      this.epochs++;
      history.push(await this._over("train", batches, epoch, onBatch));
      await onEpoch?.(epoch, history[epoch]);
    }
    for (const [weight, mean] of this.manifest.averages) this._state[weight] = this._state[mean];
    return history;
  }
  async predict(x) {
    const results = await this._run("forward", [x]);
    const outputs = Object.entries(results).filter(([name]) => !name.startsWith(NEXT));
    return outputs.length === 1 ? outputs[0][1] : Object.fromEntries(outputs);
  }
  getWeights() {
    return place(new Float32Array(this._size), this._weights.map((w) => this._state[w.name].data));
  }
  setWeights(flat) {
    if (flat.length !== this._size) fail(`expected ${this._size} weights, received ${flat.length}`);
    let at = 0;
    const next = (spec) => this._tensor(spec, flat.slice(at, at += product(spec.shape)), {});
    for (const spec of this._weights) this._state[spec.name] = next(spec);
  }
  save() {
    const { steps, epochs } = this;
    const header = { __metadata__: { seqonnx: JSON.stringify({ steps, epochs }) } };
    let at = 0;
    const parts = this._kept.map(({ name, dtype, shape }) => {
      const { buffer, byteOffset, byteLength } = this._state[name].data;
      header[name] = { dtype: codeOf(dtype), shape, data_offsets: [at, at += byteLength] };
      return new Uint8Array(buffer, byteOffset, byteLength);
    });
    const text = new TextEncoder().encode(JSON.stringify(header));
    const size = new Uint8Array(Uint32Array.of(text.length, 0).buffer);
    return place(new Uint8Array(8 + text.length + at), [size, text, ...parts]);
  }
  setState(given) {
    const bytes = new Uint8Array(given); // a copy
    const start = 8 + new DataView(bytes.buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
    const tensors = this._kept.map(({ name, dtype, shape }) => {
      const found = header[name] ?? fail(`the state lacks ${name}`);
      const [wanted, has] = [`${codeOf(dtype)} [${shape}]`, `${found.dtype} [${found.shape}]`];
      if (wanted !== has) fail(`the state has ${name} as ${has}, and the model as ${wanted}`);
      const values = bytes.buffer.slice(...found.data_offsets.map((offset) => start + offset));
      return [name, new this._ort.Tensor(dtype, new TYPES[dtype](values), shape)];
    });
    Object.assign(this, JSON.parse(header.__metadata__.seqonnx)); // steps and epochs
    this._state = Object.fromEntries(tensors);
  }
  async _over(kind, batches, epoch, onBatch) {
    const metrics = this.manifest.state.filter((each) => each.kind === "metric");
    this._sums[kind] = Object.fromEntries(metrics.map(({ name, dtype, shape }) =>
      [name, new this._ort.Tensor(dtype, new TYPES[dtype](product(shape)), shape)]));
    let count = 0;
    for await (const batch of batches instanceof Function ? batches(epoch) : batches) {
      const [{ loss }, number] = [await this._run(kind, batch), count++];
      await onBatch?.(number, loss.data[0]);
    }
    const sum = (names) => names.reduce((a, name) => a + Number(this._sums[kind][name].data[0]), 0);
    if (count === 0) fail(`no batches in epoch ${epoch}: give an array or a function of the epoch`);
    return Object.fromEntries(this.manifest.metrics.map(({ name, ...metric }) =>
      [name, (sum(metric.numerator) / (sum(metric.denominator) || 1)) ** metric.power]));
  }
  // One step at a time: each takes the state that the one before has left.
  _run(...step) { return (this._turn = this._turn.catch(() => 0).then(() => this._step(...step))); }
  async _step(kind, data) {
    const { manifest, steps } = this;
    const { file, data: parts, noise, seed } = manifest.graphs[kind];
    const session = (this._sessions[kind] ??= await this._open(file));
    const [sizes, feeds] = [{}, { ...this._state, ...this._sums[kind] }];
    parts.forEach((part, i) => this._feed(part, data[i], sizes, feeds));
    const draw = { train: steps, eval: 0, forward: this._draws++ }[kind];
    noise.forEach(({ seed: own, stream, counts_steps: counts = true, ...spec }, number) => {
      const dims = spec.shape.map((size) => sizes[size] ?? size);
      const data = uniform(own ?? seed, stream ?? number, counts ? draw : 0, dims);
      feeds[spec.name] = this._tensor(spec, { dims, data }, {});
    });
    for (const { value, schedule: each, ...spec } of manifest.learning_rates) {
      const rate = each ? SCHEDULES[each.class_name](each.config, steps) : value;
      feeds[spec.name] = this._tensor(spec, [this.learningRate ?? rate], {});
    }
    feeds[manifest.step.name] = this._tensor(manifest.step, [steps + 1], {});
    const out = await session.run(Object.fromEntries(session.inputNames.map((n) => [n, feeds[n]])));
    for (const [output, value] of Object.entries(out)) {
      const name = output.startsWith(NEXT) ? output.slice(NEXT.length) : null;
      if (name !== null) (name in this._state ? this._state : this._sums[kind])[name] = value;
    }
    if (kind === "train") this.steps++;
    return out;
  }
  _feed(part, data, sizes, feeds) { // one array, or several by name or in order
    const specs = this.manifest[part];
    const names = specs.map(({ name }) => name);
    const named = data != null && names.some((name) => name in Object(data));
    const listed = specs.length === 1 ? [data] : data ?? [];
    const given = named ? names.map((name) => data[name]) : listed;
    const wrong = given.length !== specs.length || given.some((values) => values == null);
    if (wrong) fail(`${part}: expected ${names.join(", ") || "none, as this was exported"}`);
    specs.forEach((spec, i) => { feeds[spec.name] = this._tensor(spec, given[i], sizes); });
  }
  _tensor({ name, dtype, shape }, given, sizes) {
    const values = given.dims ? given.data : Array.isArray(given) ? given.flat(Infinity) : given;
    const known = shape.map((size) => sizes[size] ?? size); // what the data decide is a string
    const rest = values.length / product(known.filter(Number.isInteger));
    const dims = given.dims ?? known.map((size) => (Number.isInteger(size) ? size : rest));
    const fits = (size, i) => size === known[i] || (size >= 1 && size % 1 === 0 && isNaN(known[i]));
    if (dims.length !== shape.length || product(dims) !== values.length || !dims.every(fits)) {
      const wish = shape.map((size, i) => (size === known[i] ? size : `${size}=${known[i]}`));
      const got = given.dims ? `shape [${dims.join(", ")}]` : `${values.length} numbers`;
      fail(`${name} must be of shape [${wish.join(", ")}]. Received: ${got}`);
    }
    shape.forEach((size, i) => { sizes[size] = dims[i]; });
    const Type = TYPES[dtype];
    const cast = (all) => Type.from(all, Type === BigInt64Array ? BigInt : Number);
    return new this._ort.Tensor(dtype, values instanceof Type ? values : cast(values), dims);
  }
}
