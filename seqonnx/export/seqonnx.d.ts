/**
 * Trains, measures and runs what `model.export_training(folder)` of seqonnx has written.
 *
 * The same file serves `onnxruntime-node`, and `onnxruntime-web` on WASM; on WebGPU it has not been
 * tried. The order of the batches is the caller's; noise such as dropout's is that of Python.
 */

/** A part of ONNX Runtime's API for JavaScript: `import * as ort from "onnxruntime-web"`. */
export interface Runtime {
  Tensor: new (type: any, data: any, dims?: readonly number[]) => any;
  InferenceSession: { create(model: Uint8Array, options?: any): Promise<any> };
  env?: any;
}

/** What ONNX Runtime gives: an `ort.Tensor`. */
export interface Result {
  readonly data: any;
  readonly dims: readonly number[];
  readonly type: string;
}

/**
 * Numbers for one input: flat or nested, in the order of rows; or with their shape, which is needed
 * where more than the batch is open. They are cast to the dtype of the input.
 */
export type Values =
  | ArrayLike<number | bigint | boolean>
  | readonly Values[]
  | { readonly data: ArrayLike<number | bigint>; readonly dims: readonly number[] };

/** Values for the only input; of several an object by their names, or an array in their order. */
export type Inputs = Values | readonly Values[] | { readonly [name: string]: Values };

/** Inputs, targets and, where they were exported, sample weights. */
export type Batch = readonly [x: Inputs, y: Inputs, sampleWeight?: Inputs];

/** Batches of an epoch; a function makes them for each epoch. */
export type Batches = Iterable<Batch> | AsyncIterable<Batch>;

/** Loss and metrics by name, as Python's `fit` shows them. */
export interface Logs {
  loss: number;
  [metric: string]: number;
}

export interface LoadOptions {
  /** A state that `save` has returned; default: `state.safetensors` of the folder. */
  state?: Uint8Array | ArrayBuffer;
  /** Options of `ort.InferenceSession.create`, such as `{ executionProviders: ["wasm"] }`. */
  session?: object;
}

export interface FitOptions {
  /** Number of epochs, default 1. */
  epochs?: number;
  /** Called after each batch with its number and its loss, and awaited. */
  onBatch?(batch: number, loss: number): unknown;
  /** Called after each epoch with its number and its logs, and awaited. */
  onEpoch?(epoch: number, logs: Logs): unknown;
}

export interface Training {
  /** The content of `manifest.json`. */
  readonly manifest: any;
  /** Number of training steps taken, those in Python included. */
  steps: number;
  /** Number of epochs begun. */
  epochs: number;
  /** A learning rate in the place of the exported number or schedule; null: that one. */
  learningRate: number | null;
  /** Takes one step; returns loss and metrics of the batch. */
  trainOnBatch(x: Inputs, y: Inputs, sampleWeight?: Inputs): Promise<Logs>;
  /** Trains on all batches, epoch by epoch; returns the logs of each epoch. */
  fit(batches: Batches | ((epoch: number) => Batches), options?: FitOptions): Promise<Logs[]>;
  /** Returns loss and metrics of all batches together. */
  evaluate(batches: Batches): Promise<Logs>;
  /** Returns the output of the model; of several an object by their names. */
  predict(x: Inputs): Promise<any>;
  /**
   * Returns all float32 weights, moving statistics included, as one array: those of the manifest's
   * state whose kind is "weight" or "statistic", in its order. What federated averaging averages.
   */
  getWeights(): Float32Array;
  /** Replaces the weights by an array like that of `getWeights`. */
  setWeights(flat: ArrayLike<number> & { slice(from: number, to: number): any }): void;
  /** Returns weights, optimizer and counters as a `.safetensors` file, for `load_training`. */
  save(): Uint8Array;
  /** Takes over what `save` has returned. */
  setState(bytes: Uint8Array | ArrayBuffer): void;
}

/**
 * Loads a training.
 *
 * @param folder - path (in Node) or URL of the folder; or a function that gives the content of a
 *   file by its name.
 * @param ort - ONNX Runtime.
 * @throws an Error that names the file, if one cannot be read.
 */
export function load(
  folder: string | URL | ((name: string) => Uint8Array | ArrayBuffer | Promise<Uint8Array | ArrayBuffer>),
  ort: Runtime,
  options?: LoadOptions,
): Promise<Training>;

/**
 * Returns the noise in [0, 1) that seqonnx draws, the same bits as in Python.
 *
 * @param seed - the lower and the upper 32 bits of the seed.
 * @param stream - number of the noise input in its graph.
 * @param step - number of training steps taken before.
 * @param dims - shape; the first axis counts samples.
 */
export function uniform(
  seed: readonly [number, number],
  stream: number,
  step: number,
  dims: readonly number[],
): Float32Array;
