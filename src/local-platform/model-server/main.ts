import { serve } from '@hono/node-server';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createApp } from './api/app';
import { Engine } from './engine';
import { loadModel } from './native';
import { trafficRecorder } from './traffic-file';
import { Mutex } from './mutex';

/** Default context length in tokens: it keeps a small model's memory below 700 MB. */
const DEFAULT_LENGTH = 4096;
/** Variable with a JSON list of accepted bearer tokens; if absent or empty, callers need none. */
const TOKENS_VARIABLE = 'EVALSAGA_MODEL_SERVER_TOKENS';

/**
 * Serves GGUF weights on loopback. Options: `--model FILE`, `--runtime FOLDER` (see provision/model-server.ts),
 * `--served-model-name`, `--port` (0: any free one), `--port-file` (gets the port once the server listens),
 * `--traffic-file` (touched by requests), `--threads`, `--max-model-len` (tokens).
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      runtime: { type: 'string' },
      'served-model-name': { type: 'string' },
      port: { type: 'string', default: '0' },
      'port-file': { type: 'string' },
      'traffic-file': { type: 'string' },
      threads: { type: 'string', default: '1' },
      'max-model-len': { type: 'string' },
    },
  });
  const { model: file, runtime: runtimeFolder, 'served-model-name': servedModel } = values;
  if (!file || !runtimeFolder || !servedModel)
    throw new Error('--model, --runtime and --served-model-name are required.');
  const tokens = readTokens(process.env[TOKENS_VARIABLE]);
  Reflect.deleteProperty(process.env, TOKENS_VARIABLE);

  // Whoever starts early learns the address now; requests are refused until the weights are loaded.
  let answer: (request: Request) => Response | Promise<Response> = () =>
    Response.json({ error: { message: 'the model is still loading' } }, { status: 503 });
  const server = serve(
    { fetch: (request) => answer(request), hostname: '127.0.0.1', port: Number(values.port) },
    ({ port }) => {
      if (values['port-file']) writeFileSync(values['port-file'], String(port));
    },
  );
  server.on('error', (error: Error) => {
    console.error(`Can't listen: ${error.message}`);
    process.exit(1);
  });
  const loaded = await loadModel({ runtimeFolder, file, threads: Number(values.threads) });
  const maxLength = values['max-model-len'] === undefined ? DEFAULT_LENGTH : Number(values['max-model-len']);
  const engine = new Engine({ loaded, maxLength: Math.min(maxLength, loaded.model.trainContextSize) });
  const startedAt = Math.floor(Date.now() / 1000);
  const trafficFile = values['traffic-file'];
  const onRequest = trafficFile === undefined ? undefined : trafficRecorder(trafficFile);
  const app = createApp({ serving: { engine, loaded, mutex: new Mutex(), servedModel, startedAt }, tokens, onRequest });
  answer = (request) => app.fetch(request);
  console.log(`Serving ${servedModel} from ${file}, context ${engine.maxLength} tokens`);
}

function readTokens(variable: string | undefined): string[] {
  const parsed: unknown = variable ? JSON.parse(variable) : [];
  if (!Array.isArray(parsed)) throw new Error(`${TOKENS_VARIABLE} is not a JSON list.`);
  return parsed.filter((token): token is string => typeof token === 'string' && token !== '');
}

// Nothing needs saving: callers see that the connection was cut.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
