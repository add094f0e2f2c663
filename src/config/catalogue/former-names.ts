/** What names of tasks in configs for earlier releases of NeMo Evaluator Launcher mean today. Pure. */
import { describeTask, findTask } from './catalogue';
import { isContaminationTest } from './choose-task';
import type { CatalogueTask } from './catalogue';

/** The harness that had the task alone in version 0.1, before others got one of the same name. */
const formerHarness: Readonly<Record<string, string>> = {
  gpqa_diamond: 'simple_evals',
  hle: 'hle',
  humaneval_instruct: 'bigcode-evaluation-harness',
  ifbench: 'ifbench',
  ifeval: 'lm-evaluation-harness',
  mgsm: 'simple_evals',
  scicode: 'scicode',
};

/** Tasks that have a new name, with nothing else changed. */
const renamed: Readonly<Record<string, string>> = {
  adlr_arc_challenge_llama: 'adlr_arc_challenge_llama_25_shot',
  adlr_minerva_math_nemo: 'adlr_minerva_math_nemo_4_shot',
  adlr_mbpp_sanitized_3shot_greedy: 'adlr_mbpp_sanitized_3_shot_greedy',
};

/** Returns today's name of a task; `undefined` if it is the same, or not certain. Pure. */
export function currentName(
  name: string,
  kind: string | undefined,
): { readonly name: string; readonly reason: string } | undefined {
  const lookup = findTask(name);
  if (lookup.kind === 'found') return undefined;
  if (lookup.kind === 'unknown') return newName(name, kind);
  const fitting = describeTask(name).filter(
    (task) => !isContaminationTest(task) && (kind === undefined || task.endpoints.includes(kind)),
  );
  const [only, second] = fitting;
  if (only !== undefined && second === undefined)
    return { name: wholeName(only), reason: `of the harnesses with this task, the one for ${kind ?? 'any'} endpoints` };
  const former = fitting.find(({ harness }) => harness === formerHarness[name]);
  return former === undefined
    ? undefined
    : { name: wholeName(former), reason: 'several harnesses have this task now; this is the one that had it first' };
}

/** Of tasks that come for both kinds of endpoints by now, version 0.1 had the one for chat. */
function newName(name: string, kind: string | undefined): { name: string; reason: string } | undefined {
  const bare = name.split('.').at(-1) ?? name;
  const prefix = name.slice(0, name.length - bare.length);
  const candidates = [renamed[bare], `${bare}_${kind ?? 'chat'}`, `${bare}-${kind ?? 'chat'}`];
  const today = candidates.find((each) => each !== undefined && findTask(prefix + each).kind === 'found');
  return today === undefined ? undefined : { name: prefix + today, reason: 'the name of this task today' };
}

export const wholeName = ({ harness, name }: CatalogueTask): string => `${harness}.${name}`;
