import type { HarnessSummary } from '../../results/samples/harness-summary';
import type { Setting, SettingKind } from './evidence';

/** How scores of lm-evaluation-harness came about, as far as its summary says. Pure. */

export function settingsIn(summary: HarnessSummary): Setting[] {
  const { config } = summary;
  const own = (kind: SettingKind, name: string, value: unknown): Setting[] => settingOf(kind, name, value, null);
  return [
    ...Object.entries(summary.versions).flatMap(([task, version]) =>
      settingOf('task-version', 'version', version, task),
    ),
    ...Object.entries(summary['n-shot']).flatMap(([task, shots]) => settingOf('few-shot', 'examples', shots, task)),
    ...Object.entries(summary.configs).flatMap(([task, definition]) =>
      generates(definition)
        ? [
            ...generationOf(definition['generation_kwargs'], task),
            ...settingOf('generation', 'repeats', definition['repeats'], task),
          ]
        : [],
    ),
    ...(Object.values(summary.configs).some(generates) ? generationOf(config['gen_kwargs'], null) : []),
    ...('limit' in config ? own('limit', 'samples', config['limit'] ?? 'all') : []),
    ...own('prompt-format', 'chat template', summary.chat_template_sha),
    ...own('prompt-format', 'system prompt', summary.system_instruction_sha),
    ...own('prompt-format', 'examples as turns', summary.fewshot_as_multiturn),
    ...own('endpoint-type', 'model type', config['model']),
    ...own('harness', 'lm-eval', versionText(summary.lm_eval_version)),
    ...own('harness', 'git hash', summary.git_hash),
    ...['random_seed', 'numpy_seed', 'torch_seed', 'fewshot_seed'].flatMap((name) => own('seed', name, config[name])),
    ...own('model', 'name', summary.model_name),
  ];
}

/** Tasks that only compare the probabilities of given answers generate nothing, whatever the parameters. */
const generates = ({ output_type: type }: Readonly<Record<string, unknown>>): boolean =>
  type === undefined || type === 'generate_until';

/** The `generation_kwargs` of a task's definition, or the `gen_kwargs` of the command, which is a mapping or `a=1,b=2`. */
function generationOf(given: unknown, task: string | null): Setting[] {
  if (typeof given === 'string')
    return given.split(',').flatMap((pair) => {
      const [name = '', value = ''] = pair.split('=', 2);
      return settingOf('generation', name.trim(), value.trim(), task);
    });
  if (typeof given !== 'object' || given === null) return [];
  return Object.entries(given).flatMap(([name, value]) => settingOf('generation', name, value, task));
}

/** What stands in the place of a version where the package doesn't know its own. */
const versionText = (version: string | null | undefined): string | null =>
  version !== null && version !== undefined && /^\d/.test(version) ? version : null;

/** Returns the setting, or nothing where its value is not known. */
export function settingOf(kind: SettingKind, name: string, value: unknown, of: string | null): Setting[] {
  if (value === undefined || value === null || value === '' || name === '') return [];
  return [{ kind, name, value: typeof value === 'string' ? value : JSON.stringify(value), of }];
}
