// Runs ONNX graphs in WebAssembly, on one thread. A JSON request a line on stdin, a JSON answer a line on stdout.
//
//     node wasm_runner.mjs FOLDER        the folder that holds node_modules/onnxruntime-web
//
// request  {name, graph?: base64, inputs: {NAME: {type, dims, data: base64}}}; the graph comes once a name
// answer   {outputs: {NAME: {dims, data: base64 of float32}}} or {error}

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { join } from "node:path";

const ARRAYS = { int32: Int32Array, float32: Float32Array };
const sessions = new Map();
let ort;

/** Bytes that begin at an aligned address. */
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

async function run({ name, graph, inputs }) {
  if (graph !== undefined) {
    sessions.set(name, await ort.InferenceSession.create(bytes(graph), { executionProviders: ["wasm"] }));
  }
  const feeds = {};
  for (const [key, { type, dims, data }] of Object.entries(inputs)) {
    feeds[key] = new ort.Tensor(type, new ARRAYS[type](bytes(data).buffer), dims);
  }
  const outputs = {};
  for (const [key, { dims, data }] of Object.entries(await sessions.get(name).run(feeds))) {
    outputs[key] = { dims, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") };
  }
  return { outputs };
}

const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

try {
  ort = createRequire(join(process.argv[2], "from"))("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  say({ version: ort.env.versions.web ?? ort.env.versions.common });
  for await (const line of createInterface({ input: process.stdin })) {
    say(await run(JSON.parse(line)).catch((fault) => ({ error: String(fault.message ?? fault) })));
  }
} catch (fault) {
  say({ error: String(fault.message ?? fault).split("\n")[0] });
}
