/**
 * Computes log probabilities of texts' tokens with node-llama-cpp's public API only, independent of the model server.
 * Usage: reference-logprobs.mjs RUNTIME_FOLDER WEIGHTS TEXTS(JSON list); prints a JSON list of `{tokens, logprobs}`.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , runtimeFolder, weights, texts] = process.argv;
const require = createRequire(path.join(runtimeFolder, 'package.json'));
const { getLlama } = await import(pathToFileURL(require.resolve('node-llama-cpp')).href);
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  logLevel: 'error',
});
const model = await llama.loadModel({ modelPath: weights });
const all = JSON.parse(texts);
const context = await model.createContext({
  contextSize: 256,
  sequences: all.length,
  threads: 1,
  flashAttention: false,
});
const results = [];
for (const text of all) {
  const tokens = model.tokenize(text, true);
  const sequence = context.getSequence();
  const output = await sequence.controlledEvaluate(
    tokens.map((token) => [token, { generateNext: { probabilities: true } }]),
  );
  const logprobs = tokens.slice(1).map((token, i) => Math.log(output[i].next.probabilities.get(token)));
  results.push({ tokens, logprobs });
}
console.log(JSON.stringify(results));
process.exit(0);
