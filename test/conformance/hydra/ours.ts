/** Composes the cases with evalsaga, and encodes the results like the reference. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resolveInterpolations } from '../../../src/config/hydra/interpolation/resolve-interpolations';
import { composeConfig } from '../../../src/config/load';
import { ConfigError, renderProblem } from '../../../src/config/yaml/problems';
import { pythonFloat } from '../../../src/config/hydra/python-text';
import type { ConfigNode } from '../../../src/config/yaml/tree';
import type { Answer, Encoded, HydraCase } from './reference';

export function composeOurs({ files, overrides, env = {} }: HydraCase): Answer {
  const folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-case-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    }
    const composed = composeConfig({
      config: path.join(folder, 'config.yaml'),
      overrides,
      tasks: [],
      env,
      cwd: folder,
    });
    const resolution = resolveInterpolations(composed.root, composed.env);
    const problems = [...composed.problems, ...resolution.problems];
    return problems.length > 0 ? { error: problems.map(renderProblem).join('\n') } : { value: encode(resolution.root) };
  } catch (error) {
    if (error instanceof ConfigError) return { error: error.message };
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function encode(node: ConfigNode): Encoded {
  if (node.kind === 'map')
    return { m: [...node.entries].map(([key, child]): [string, Encoded] => [key, encode(child)]) };
  if (node.kind === 'list') return { l: node.items.map(encode) };
  const { value, float } = node;
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return { s: value };
  return typeof value === 'number' && float === true ? { f: pythonFloat(value) } : { i: String(value) };
}

/** Sorts the keys of mappings: Hydra may list them in another order. */
export function sorted(value: Encoded): Encoded {
  if (value === null || typeof value === 'boolean') return value;
  if ('m' in value)
    return {
      m: value.m.map(([key, child]): [string, Encoded] => [key, sorted(child)]).sort(([a], [b]) => (a < b ? -1 : 1)),
    };
  if ('l' in value) return { l: value.l.map(sorted) };
  return value;
}
