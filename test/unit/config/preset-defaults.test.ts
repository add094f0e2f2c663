/** A preset's values are the schema's defaults. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { presetsFolder } from '../../../src/config/hydra/compose/sources';
import { configSchema } from '../../../src/config/schema/config';
import { deploymentTypes } from '../../../src/config/schema/deployment';
import { toRaw } from '../../../src/config/schema/leaf';
import { nodeAt, scalarsOf, withoutNodeAt, type ConfigNode, type Path } from '../../../src/config/yaml/tree';
import { readYamlMap } from '../../../src/config/yaml/yaml-reader';

/** Keys for which only the preset has a default. */
const offered = [
  /^execution\.lepton_platform\.deployment\.platform_defaults\./,
  /^execution\.lepton_platform\.tasks\.(?:mounts|queue_config|log)\b/,
  /^deployment\.(?:endpoints|image|command|base_command|type)\b/,
  /^execution\.type$/,
  // Planning has the same default: an endpoint without one would never scale down.
  /^deployment\.lepton_config\.auto_scaler\.scale_down\.no_traffic_timeout$/,
];

/** In place of `???`, for values that only a user can give: an image, a command, a folder. */
const givenByUser = 'given/by-user:1';

const readPreset = (name: string): ConfigNode => {
  const file = path.join(presetsFolder, name);
  return readYamlMap(readFileSync(file, 'utf8').replaceAll('???', givenByUser), { file, preset: true });
};

/** Without those that only include another preset. */
const presets = readdirSync(presetsFolder, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.yaml') && nodeAt(readPreset(name), ['type']) !== undefined,
);

/** Returns a config of this preset and the smallest one of the other group. */
function wholeWith(group: string, content: ConfigNode): { root: ConfigNode; type: (typeof deploymentTypes)[number] } {
  const origin = {};
  const filled = (text: string) => readYamlMap(text, { file: 'x' });
  const execution = group === 'execution' ? content : filled('type: lepton\noutput_dir: o\n');
  const deployment = group === 'deployment' ? content : filled('type: none\n');
  const entries = new Map<string, ConfigNode>([
    ['execution', execution],
    ['deployment', deployment],
  ]);
  const type = nodeAt(deployment, ['type']);
  return {
    root: { kind: 'map', entries, origin },
    type: deploymentTypes.find((each) => type?.kind === 'scalar' && each === type.value) ?? 'none',
  };
}

/** Empty text and null have the same effect. */
const settled = (value: unknown): unknown => (value === undefined || value === '' ? null : value);

const valueAt = (value: unknown, at: Path): unknown =>
  at.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key], value);

test.each(presets)('%s', (name) => {
  const group = name.split(path.sep)[0] ?? '';
  const { root, type } = wholeWith(group, readPreset(name));
  const parsed = (tree: ConfigNode): unknown => configSchema(type).safeParse(toRaw(tree)).data;
  const whole = parsed(root);
  expect(whole).toBeDefined();
  for (const { path: place, node } of scalarsOf(root)) {
    // Lists are set or left out as a whole.
    const inList = place.findIndex((key) => typeof key === 'number');
    const at = inList === -1 ? place : place.slice(0, inList);
    const dotted = at.join('.');
    if (at[0] !== group || offered.some((pattern) => pattern.test(dotted)) || node.value === givenByUser) continue;
    const without = parsed(withoutNodeAt(root, at));
    expect({ [dotted]: settled(valueAt(without, at)) }).toEqual({ [dotted]: settled(valueAt(whole, at)) });
  }
});
