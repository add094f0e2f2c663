import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RecordRunInput } from '../contract/inputs';
import { productVersion } from '../home/version';
import { costDocument } from '../report/cost';

/** The content of `run.json`: what was asked for, with which versions, and what came of it. No secrets: the config is masked. */
export async function buildRunRecord(input: RecordRunInput, runsFolder: string): Promise<Record<string, unknown>> {
  const { run, snapshot } = input;
  return {
    invocation: run.invocation,
    outcome: input.outcome,
    model: run.model,
    platform: run.platform,
    owner: run.owner,
    startedAt: snapshot.startedAt,
    endedAt: new Date().toISOString(),
    versions: { evalsaga: productVersion(), node: process.version },
    command: run.provenance.command,
    policies: {
      startPolicy: run.startPolicy,
      onTaskFailure: run.onTaskFailure,
      maxParallelEndpoints: run.maxParallelEndpoints,
    },
    limits: run.limits,
    cost: costDocument(snapshot, Date.now()),
    tasks: snapshot.tasks,
    teardown: { left: snapshot.left, kept: snapshot.kept },
    config: await readConfig(path.join(runsFolder, run.invocation, 'config.yaml')),
  };
}

/** The resolved config as the launching host stored it; `null` on a worker of another host. */
async function readConfig(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return null;
  }
}
