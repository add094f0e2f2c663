/** Renders the output of `config show`. */
import path from 'node:path';
import type { LoadedConfig } from './loaded';
import { presetsFolder } from './hydra/compose/sources';
import { renderConfig } from './render-config';
import type { ScalarNode } from './yaml/tree';

/** Returns the resolved config as YAML with secrets masked. A comment after each value names its source: file and line, override, or the key it is derived from. */
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
