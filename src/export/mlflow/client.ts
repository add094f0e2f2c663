import { z } from 'zod';
import { Service, type Call, type ServiceOptions } from '../http';
import type { Attachment } from '../attachments';
import { createReadStream } from 'node:fs';

/** MLflow's REST API (2.0), as far as exports need it. */

export interface MlflowRun {
  readonly id: string;
  readonly artifactUri: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly metrics: ReadonlyMap<string, number>;
}

/** What is logged at once. */
export interface Batch {
  readonly metrics: readonly { readonly key: string; readonly value: number }[];
  readonly parameters: readonly (readonly [key: string, value: string])[];
  readonly tags: readonly (readonly [key: string, value: string])[];
}

const pair = z.looseObject({ key: z.string(), value: z.string() });
const metric = z.looseObject({ key: z.string(), value: z.number().catch(NaN) });
const runSchema = z.looseObject({
  info: z.looseObject({ run_id: z.string(), artifact_uri: z.string().default('') }),
  data: z.looseObject({ params: z.array(pair).default([]), metrics: z.array(metric).default([]) }).prefault({}),
});
const nothing = z.looseObject({});

/** Of one call of `runs/log-batch`. */
const most = { metrics: 900, parameters: 100, tags: 100 } as const;

export class MlflowClient {
  private readonly service: Service;

  /** `root`: of the server, without a slash at its end. */
  constructor(
    private readonly root: string,
    options: ServiceOptions,
  ) {
    this.service = new Service(options);
  }

  /** Returns the experiment's id, and makes it if there is none of this name. */
  async experiment(name: string): Promise<string> {
    const found = await this.experimentByName(name);
    if (found !== undefined) return found;
    const created = await this.service
      .json(z.looseObject({ experiment_id: z.string() }), this.post('experiments/create', { name }))
      .then(({ experiment_id: id }) => id)
      .catch(async (error: unknown) => {
        // Another export may have made it meanwhile.
        const other = await this.experimentByName(name);
        if (other === undefined) throw error;
        return other;
      });
    return created;
  }

  private async experimentByName(name: string): Promise<string | undefined> {
    const url = this.url('experiments/get-by-name', { experiment_name: name });
    const schema = z.looseObject({ experiment: z.looseObject({ experiment_id: z.string() }) });
    return (await this.service.lookup(schema, { method: 'GET', url }))?.experiment.experiment_id;
  }

  /** Returns the run with this tag, the oldest of several; `undefined`: there is none. */
  async runWithTag(experiment: string, tag: readonly [key: string, value: string]): Promise<MlflowRun | undefined> {
    const found = await this.service.json(
      z.looseObject({ runs: z.array(runSchema).default([]) }),
      this.post('runs/search', {
        experiment_ids: [experiment],
        filter: `tags.\`${tag[0]}\` = '${tag[1]}'`,
        order_by: ['attributes.start_time ASC'],
        max_results: 10,
      }),
    );
    const [first] = found.runs;
    return first && runOf(first);
  }

  async createRun(input: {
    readonly experiment: string;
    readonly name: string;
    readonly startedAtMs: number;
    readonly tags: Batch['tags'];
  }): Promise<MlflowRun> {
    const { run } = await this.service.json(
      z.looseObject({ run: runSchema }),
      this.post('runs/create', {
        experiment_id: input.experiment,
        run_name: input.name,
        start_time: input.startedAtMs,
        tags: input.tags.map(([key, value]) => ({ key, value })),
      }),
    );
    return runOf(run);
  }

  /** Logs everything, in as many calls as it takes. `timestampMs`: of the metrics. */
  async log(run: string, batch: Batch, timestampMs: number): Promise<void> {
    const parts = [
      ...chunks(batch.parameters, most.parameters).map((some) => ({ params: keyed(some) })),
      ...chunks(batch.tags, most.tags).map((some) => ({ tags: keyed(some) })),
      ...chunks(batch.metrics, most.metrics).map((some) => ({
        metrics: some.map(({ key, value }) => ({ key, value, timestamp: timestampMs, step: 0 })),
      })),
    ];
    for (const part of parts) await this.service.json(nothing, this.post('runs/log-batch', { run_id: run, ...part }));
  }

  async finishRun(run: string, change: { readonly name: string; readonly endedAtMs: number }): Promise<void> {
    const body = { run_id: run, status: 'FINISHED', end_time: change.endedAtMs, run_name: change.name };
    await this.service.json(nothing, this.post('runs/update', body));
  }

  /** Puts a file at `path` below the artefacts' root that the server serves. */
  async putArtifact(path: string, { file, size }: Attachment): Promise<void> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const content = createReadStream(file) as AsyncIterable<Uint8Array>;
    await this.service.json(nothing, {
      method: 'PUT',
      url: `${this.root}/api/2.0/mlflow-artifacts/artifacts/${encoded}`,
      file: { content, size, type: 'application/octet-stream' },
    });
  }

  private url(call: string, query: Readonly<Record<string, string>> = {}): string {
    const words = new URLSearchParams(query).toString();
    return `${this.root}/api/2.0/mlflow/${call}${words === '' ? '' : `?${words}`}`;
  }

  private post(call: string, json: object): Call {
    return { method: 'POST', url: this.url(call), json };
  }
}

const runOf = ({ info, data }: z.infer<typeof runSchema>): MlflowRun => ({
  id: info.run_id,
  artifactUri: info.artifact_uri,
  parameters: new Map(data.params.map(({ key, value }) => [key, value])),
  metrics: new Map(data.metrics.map(({ key, value }) => [key, value])),
});

const keyed = (pairs: Batch['tags']): object[] => pairs.map(([key, value]) => ({ key, value }));

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
