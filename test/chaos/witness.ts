import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan } from '../../src/contract/plan';
import type { LeptonClient } from '../../src/lepton/types';
import { readRemoteTree } from '../../src/results/transfer/remote-tree';
import type { Answer, Forwarded, Gateway } from './gateway';

/** What was seen at the platform's border, of which nobody can tell when a run is over. */
export interface Witnessed {
  /** Jobs of tasks by name: one that was created while another of the same task had not ended. */
  readonly together: readonly string[];
  /** Of each evaluation job that was created, its name. */
  readonly jobs: readonly string[];
  /** Files that were removed from storage and are not at home as the job wrote them, with what is wrong. */
  readonly lost: readonly string[];
}

export interface Witness {
  seen(): Witnessed;
  /** Compares once more: what came home must stay as it was. Resolves to what does not agree. */
  compareAgain(): Promise<readonly string[]>;
}

interface Written {
  readonly label: string;
  readonly file: string;
  readonly sha256: string;
}

const ended = new Set(['Completed', 'Failed', 'Stopped', 'Deleted', 'Archived', 'Deleting']);

export function watchPlatform(
  gateway: Gateway,
  { direct, planned }: { direct: LeptonClient; planned: () => Promise<RunPlan | undefined> },
): Witness {
  const together: string[] = [];
  const jobs: string[] = [];
  const lost: string[] = [];
  const written = new Map<string, Written>();

  async function created(answer: Answer): Promise<void> {
    const { metadata } = JSON.parse(answer.body.toString('utf8')) as { metadata?: { name?: string } };
    const name = metadata?.name ?? '';
    const plan = await planned();
    if (!plan?.tasks.some(({ jobName }) => jobName === name)) return;
    jobs.push(name);
    const alive = await direct.listJobs({ name, mode: 'alive_only' });
    const running = alive.filter((job) => job.metadata.name === name && !ended.has(job.status?.state ?? ''));
    if (running.length > 1) together.push(name);
  }

  async function removing({ path: route }: Forwarded): Promise<void> {
    const plan = await planned();
    const folder = decodeURIComponent(route.split('?')[0] ?? '').replace(/\/+$/, '');
    if (!plan?.tasks.length) return;
    for (const task of plan.tasks) {
      const whole = folder.endsWith(plan.invocation);
      if (!whole && !`${folder}/`.includes(`/${task.folder}/`)) continue;
      lost.push(...(await missingAtHome(direct, { plan, folder: task.folder, written })));
    }
  }

  gateway.watch({
    async before(request) {
      if (request.method === 'DELETE' && request.path.startsWith('/storage/')) await removing(request);
    },
    async after({ method, path: route }, answer) {
      if (method === 'POST' && route === '/jobs' && answer.status < 300) await created(answer);
    },
  });
  return {
    seen: () => ({ together, jobs, lost }),
    async compareAgain() {
      const all = [...written.values()].map(async ({ label, file, sha256 }) =>
        (await digest(file)) === sha256 ? [] : [`${label} (was at home, and differs now)`],
      );
      return (await Promise.all(all)).flat();
    },
  };
}

async function missingAtHome(
  direct: LeptonClient,
  { plan, folder, written }: { plan: RunPlan; folder: string; written: Map<string, Written> },
): Promise<string[]> {
  const { fileSystem, path: root } = plan.storage;
  const tree = await readRemoteTree(direct.storage, {
    fileSystem,
    folder: path.posix.join(root, folder),
    options: {},
  });
  const lost: string[] = [];
  for (const { remote, local } of tree?.files ?? []) {
    const label = `${folder}/${local}`;
    const file = path.join(plan.outputDir, folder, local);
    const sha256 = await digestOf(direct.storage.read(fileSystem, remote));
    const home = await digest(file);
    if (home === undefined) lost.push(label);
    else if (home !== sha256) lost.push(`${label} (differs at home)`);
    else written.set(label, { label, file, sha256 });
  }
  return lost;
}

/** `undefined`: there is no such file. */
async function digest(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? digestOf(createReadStream(file)) : undefined;
}

async function digestOf(pieces: AsyncIterable<unknown>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece as Uint8Array);
  return hash.digest('hex');
}
