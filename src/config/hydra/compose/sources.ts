/** Finds config files: in the folder of the user's config, then among the presets. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../../yaml/problems';
import { readYamlMap } from '../../yaml/yaml-reader';
import type { MapNode } from '../../yaml/tree';

export interface LoadedFile {
  readonly file: string;
  readonly preset: boolean;
  /** The whole file, including `defaults`. */
  readonly content: MapNode;
  /** From the header `# @package NAME`; `undefined` if there is none. */
  readonly packageHeader: string | undefined;
}

/** The folder of the presets, which is at the same place in `src` and `dist`. */
export const presetsFolder = path.join(__dirname, '..', '..', 'presets');

const presetCache = new Map<string, LoadedFile>();

/** Finds config files by their path below the search folders, e.g. `deployment/vllm`. */
export class ConfigSources {
  constructor(private readonly userFolder: string) {}

  /** Returns the file for `configPath` (without extension), or `undefined`. The user's files win over presets. */
  find(configPath: string): LoadedFile | undefined {
    for (const folder of [this.userFolder, presetsFolder]) {
      const file = withExtension(path.join(folder, configPath));
      if (file !== undefined) return loadFile(file, folder === presetsFolder);
    }
    return undefined;
  }

  /** Where a config was looked for that no folder has, and what is there in its place. */
  lookedFor(configPath: string): string {
    const wanted = /\.ya?ml$/.test(configPath) ? configPath : `${configPath}.yaml`;
    const other = otherName(path.join(this.userFolder, wanted));
    const found = other === undefined ? '' : `; there is ${path.basename(other)}: rename it`;
    return `\`${wanted}\` was looked for in ${this.userFolder}, and among evalsaga's own${found}`;
  }

  /** Returns the name of the user's file if it has the extension `.yml`. */
  withOtherExtension(configPath: string): string | undefined {
    const file = path.join(this.userFolder, `${configPath}.yml`);
    return /\.ya?ml$/.test(configPath) || kindOf(file) !== 'file' ? undefined : path.basename(file);
  }

  isGroup(name: string): boolean {
    return [this.userFolder, presetsFolder].some((folder) => kindOf(path.join(folder, name)) === 'folder');
  }

  /** Returns the choices of a group, e.g. `vllm`, `lepton/default`. */
  options(group: string): string[] {
    const names = [this.userFolder, presetsFolder].flatMap((folder) => optionsBelow(path.join(folder, group), ''));
    return [...new Set(names)].sort();
  }
}

/** Reads a file. Throws `ConfigError` if it does not exist, cannot be read or is not valid YAML. */
export function loadFile(file: string, preset = false): LoadedFile {
  const cached = preset ? presetCache.get(file) : undefined;
  if (cached !== undefined) return cached;
  const loaded = loadText(readText(file), file, preset);
  if (preset) presetCache.set(file, loaded);
  return loaded;
}

/** Reads a text as if the file held it. Throws `ConfigError` if it is not valid YAML. */
export const loadText = (text: string, file: string, preset = false): LoadedFile => ({
  file,
  preset,
  content: readYamlMap(text, { file, preset }),
  packageHeader: headerOf(text),
});

function readText(file: string): string {
  const kind = kindOf(file);
  if (kind === 'folder') throw new ConfigError([{ file, path: '', message: 'this is a folder, expected a YAML file' }]);
  if (kind === 'absent') {
    const other = otherName(file);
    const standardInput = path.basename(file) === '-' ? 'to read a config from a pipe: /dev/stdin' : undefined;
    const hint = other === undefined ? standardInput : `did you mean \`${other}\`?`;
    throw new ConfigError([{ file, path: '', message: 'the file does not exist', ...(hint ? { hint } : {}) }]);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    const reason =
      error instanceof TypeError
        ? 'the file is not UTF-8 text'
        : `the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`;
    throw new ConfigError([{ file, path: '', message: reason }]);
  }
}

const headerOf = (text: string): string | undefined =>
  /^#\s*@package\s+(\S+)\s*$/m.exec(text.split(/^[^#\s]/m)[0] ?? '')?.[1];

/** A file that is there under the other extension, or with one. */
function otherName(file: string): string | undefined {
  const base = file.replace(/\.ya?ml$/, '');
  return [`${file}.yaml`, `${file}.yml`, `${base}.yaml`, `${base}.yml`].find(
    (name) => name !== file && kindOf(name) === 'file',
  );
}

function withExtension(base: string): string | undefined {
  if (/\.ya?ml$/.test(base)) return kindOf(base) === 'file' ? base : undefined;
  return kindOf(`${base}.yaml`) === 'file' ? `${base}.yaml` : undefined;
}

function kindOf(file: string): 'file' | 'folder' | 'absent' {
  try {
    return statSync(file).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'absent';
  }
}

function optionsBelow(folder: string, prefix: string): string[] {
  if (kindOf(folder) !== 'folder' || prefix.split('/').length > 3) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return optionsBelow(path.join(folder, entry.name), `${prefix}${entry.name}/`);
    return entry.name.endsWith('.yaml') ? [`${prefix}${entry.name.slice(0, -'.yaml'.length)}`] : [];
  });
}
