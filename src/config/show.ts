/** `config show`: each value, and where it came from. */
import path from 'node:path';
import type { LoadedConfig } from './loaded';
import { presetsFolder } from './hydra/compose/sources';
import { renderConfig } from './render-config';
import type { ScalarNode } from './yaml/tree';

/** The resolved config as YAML, secrets masked; behind each value its source: file and line, override, or derivation. */
export function showConfig(loaded: LoadedConfig): string {
  const base = path.dirname(loaded.file);
  return renderConfig(loaded.root, loaded.env, (node) => sourceOf(node, base));
}

function sourceOf({ origin, env }: ScalarNode, base: string): string | undefined {
  const from = env === undefined ? '' : `, from ${env.names.join(', ')}`;
  if (origin.override !== undefined) return `-o${from}`;
  if (origin.derived !== undefined) return `from ${origin.derived}`;
  if (origin.file === undefined) return undefined;
  const name =
    origin.preset === true ? `preset ${path.relative(presetsFolder, origin.file)}` : path.relative(base, origin.file);
  return `${name}:${origin.line ?? 1}${from}`;
}
