import type { LeptonClient, NodeGroup, WorkspaceInfo } from '../lepton/types';
import { answerOf, type Answer } from './finding';

/** What a workspace says of itself, each question on its own: one that it does not answer leaves the others alone. */
export interface WorkspaceAnswers {
  readonly info: Answer<WorkspaceInfo>;
  readonly nodeGroups: Answer<readonly NodeGroup[]>;
  readonly secretNames: Answer<readonly string[]>;
  readonly shapeNames: Answer<readonly string[]>;
}

/**
 * Asks all at the same time; never rejects. `shapes`: those that a run wants; one that is not in the workspace's own list
 * is looked for in those of its node groups.
 */
export async function askWorkspace(
  client: LeptonClient,
  options: { readonly timeoutMs: number; readonly shapes?: readonly string[] },
): Promise<WorkspaceAnswers> {
  const call = { timeoutMs: options.timeoutMs };
  const [info, nodeGroups, secretNames, shapeNames] = await Promise.all([
    answerOf(client.getWorkspace(call)),
    answerOf(client.listNodeGroups(call)),
    answerOf(client.listSecretNames(call)),
    answerOf(client.listShapeNames(call)),
  ]);
  const answers = { info, nodeGroups, secretNames, shapeNames };
  const known = shapesOf(answers);
  const groups = nodeGroups.kind === 'known' ? nodeGroups.value.map(({ id }) => id) : [];
  const isMissing = (options.shapes ?? []).some((shape) => !known.has(shape.toLowerCase()));
  if (known.size === 0 || !isMissing || groups.length === 0) return answers;
  const ofGroups = await answerOf(client.listShapeNames({ ...call, nodeGroups: groups }));
  const more = ofGroups.kind === 'known' ? ofGroups.value : [];
  return { ...answers, shapeNames: { kind: 'known', value: [...known, ...more] } };
}

/** Every shape that is known of, in small letters; empty where the workspace lists none. Pure. */
export function shapesOf({ info, shapeNames }: Pick<WorkspaceAnswers, 'info' | 'shapeNames'>): ReadonlySet<string> {
  const supported = info.kind === 'known' ? Object.keys(info.value.supported_shapes) : [];
  const listed = shapeNames.kind === 'known' ? shapeNames.value : [];
  return new Set([...supported, ...listed].map((name) => name.toLowerCase()));
}
