import type { RunPlan } from '../contract/plan';
import type { LeptonClient } from '../lepton/types';
import { answerOf, misfit, ok, warn, type Answer, type Finding } from './finding';
import type { WorkspaceAnswers } from './workspace-answers';

/** What a run wants of a node group besides a place in it. */
interface Wish {
  /** What wants it: `endpoints` or `jobs`. */
  readonly by: string;
  readonly nodeGroup: string;
  readonly nodes: readonly string[];
  readonly reservations: readonly string[];
  readonly dataSources: readonly string[];
}

/**
 * Checks whether node groups have the nodes, reservations and data sources that a run names. Each question is a request of its own,
 * asked only for what is named. Never rejects.
 */
export async function checkPlacement(
  client: LeptonClient,
  plan: RunPlan,
  { nodeGroups, timeoutMs }: Pick<WorkspaceAnswers, 'nodeGroups'> & { readonly timeoutMs: number },
): Promise<Finding[]> {
  const groups = nodeGroups.kind === 'known' ? nodeGroups.value : [];
  const call = { timeoutMs };
  const findings = wishesOf(plan).map(async ({ by, nodeGroup, nodes, reservations, dataSources }) => {
    // A group that is not there has its own finding.
    const id = (groups.find((group) => group.id === nodeGroup) ?? groups.find(({ name }) => name === nodeGroup))?.id;
    if (id === undefined) return [];
    const of = { by, nodeGroup };
    return [
      ...(await judge(nodes, () => client.listNodeIds(id, call), { ...of, about: 'node', key: 'allowed_nodes' })),
      ...(await judge(reservations, () => client.listReservationIds(id, call), {
        ...of,
        about: 'reservation',
        key: 'reservation_config.reservation_id',
      })),
      ...(await judge(dataSources, () => client.listDataSourceNames(id, call), {
        ...of,
        about: 'data source',
        key: 'storage_attachments',
      })),
    ];
  });
  return (await Promise.all(findings)).flat();
}

/** Pure. */
function wishesOf({ endpoint, tasks }: RunPlan): Wish[] {
  const specs = [
    ...(endpoint.kind === 'dedicated' ? [{ by: 'endpoints', spec: endpoint.spec }] : []),
    // All jobs of a run share these.
    ...tasks.slice(0, 1).map(({ job }) => ({ by: 'jobs', spec: job })),
  ];
  return specs.flatMap(({ by, spec: { nodeGroup, allowedNodes = [], body } }): Wish[] => {
    if (nodeGroup === null) return [];
    const { reservation_id: reservation } = (body['reservation_config'] ?? {}) as { reservation_id?: string | null };
    const attached = (body['storage_attachments'] ?? []) as readonly { readonly data_source_name: string }[];
    const reservations = reservation === undefined || reservation === null ? [] : [reservation];
    const dataSources = [...new Set(attached.map(({ data_source_name: name }) => name))];
    return [{ by, nodeGroup, nodes: allowedNodes, reservations, dataSources }];
  });
}

interface Question extends Pick<Wish, 'by' | 'nodeGroup'> {
  readonly about: string;
  /** The config's key, for the advice. */
  readonly key: string;
}

async function judge(
  wanted: readonly string[],
  ask: () => Promise<readonly string[]>,
  question: Question,
): Promise<Finding[]> {
  return wanted.length === 0 ? [] : findingsOf(wanted, await answerOf(ask()), question);
}

/** Pure. */
function findingsOf(
  wanted: readonly string[],
  known: Answer<readonly string[]>,
  { by, nodeGroup, about, key }: Question,
): Finding[] {
  if (known.kind === 'unknown') {
    const advice = `make sure that ${nodeGroup} has ${wanted.join(', ')}`;
    return [warn(about, `node group ${nodeGroup} does not say what it has (${known.reason})`, advice)];
  }
  const has = known.value.length === 0 ? 'none' : known.value.slice(0, 12).join(', ');
  return wanted.map((name) =>
    known.value.includes(name)
      ? ok(about, `${name} (${by})`)
      : misfit(about, `"${name}" (${by}) is not in node group ${nodeGroup}; it has: ${has}`, `correct ${key}`),
  );
}
