import type { LeptonClient, NodeGroup, WorkspaceInfo } from '../lepton/types';
import { answerOf, type Answer } from './finding';

/** A workspace's answers; each can be missing independently of the others. */
export interface WorkspaceAnswers {
  readonly info: Answer<WorkspaceInfo>;
  readonly nodeGroups: Answer<readonly NodeGroup[]>;
  readonly secretNames: Answer<readonly string[]>;
  readonly shapeNames: Answer<readonly string[]>;
}

/**
 * Sends all requests at the same time; never rejects. If one of `shapes` is not in the workspace's list, the lists of its node
 * groups are searched too.
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

/** Returns all known shapes in lower case; empty if the workspace lists none. Pure. */
export function shapesOf({ info, shapeNames }: Pick<WorkspaceAnswers, 'info' | 'shapeNames'>): ReadonlySet<string> {
  const supported = info.kind === 'known' ? Object.keys(info.value.supported_shapes) : [];
  const listed = shapeNames.kind === 'known' ? shapeNames.value : [];
  return new Set([...supported, ...listed].map((name) => name.toLowerCase()));
}
