/** Settings of a run that can change when it is tried again: `key=value`, checked as in a config. */
import type { z } from 'zod';
import { mostJobRetries } from '../contract/job-attempts';
import { choice, duration, flag, integer, orNull } from './schema/fields';
import { Leaf } from './schema/leaf';
import { resolvePlain } from './yaml/yaml-scalars';

const settings = {
  'execution.retries': integer({ min: 0, max: mostJobRetries }),
  'execution.evaluation_tasks.timeout': duration(),
  'execution.lepton_platform.deployment.endpoint_readiness_timeout': duration(),
  'execution.teardown_timeout': duration(),
  'execution.max_run_time': orNull(duration()),
  'execution.max_result_size': integer({ min: 1, unit: 'bytes' }),
  'execution.start_policy': choice('all_ready', 'as_ready'),
  'execution.on_task_failure': choice('continue', 'abort'),
  'execution.max_parallel_endpoints': orNull(integer({ min: 1 })),
  'execution.keep_storage': flag(),
} as const;

export type RunSettings = { -readonly [Key in keyof typeof settings]?: z.output<(typeof settings)[Key]> };

/** Names of the settings. */
export const settingNames = Object.keys(settings) as readonly (keyof RunSettings)[];

export type ReadSettings =
  | { readonly kind: 'settings'; readonly settings: RunSettings }
  | { readonly kind: 'refused'; readonly pair: string; readonly reason: string };

/** Reads overrides; the first one that can't be used is refused. */
export function readRunSettings(pairs: readonly string[]): ReadSettings {
  const read: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [, key = '', text = ''] = /^\+{0,2}([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (!Object.hasOwn(settings, key))
      return { kind: 'refused', pair, reason: `only these can change: ${settingNames.join(', ')}` };
    const { value } = resolvePlain(text);
    const given = value === null ? null : new Leaf({ kind: 'scalar', value, text, origin: { override: pair } });
    const parsed = settings[key as keyof typeof settings].safeParse(given);
    if (!parsed.success)
      return { kind: 'refused', pair, reason: parsed.error.issues[0]?.message ?? 'not a valid value' };
    read[key] = parsed.data;
  }
  return { kind: 'settings', settings: read };
}
