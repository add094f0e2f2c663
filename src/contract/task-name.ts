/** Names of tasks in a run of several models: `<model>/<task>`. No other name of a task has a slash in it. Pure. */

export const taskNameOf = (model: string | null, name: string): string => (model === null ? name : `${model}/${name}`);

/** Returns the name of a task as the config has it. */
export const nameInConfig = (name: string): string => name.slice(name.indexOf('/') + 1);

/** Returns the name without its harness, the model still in front of it. */
export function withoutHarness(name: string): string {
  const model = name.slice(0, name.indexOf('/') + 1);
  return `${model}${nameInConfig(name).split('.').at(-1) ?? name}`;
}
