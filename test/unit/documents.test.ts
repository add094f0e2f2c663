import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Documents match the code: variables that it reads, files that the package ships, the imports that are allowed. */

const root = path.resolve(__dirname, '..', '..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(?:ts|py)$|\/nemo-evaluator$/.test(name))
  .map((name) => path.join('src', name));

/** Here-document delimiters in a job's script. */
const hereDocuments = ['EVALSAGA_END', 'EVALSAGA_HIDE', 'EVALSAGA_PACK', 'EVALSAGA_TOKENS'];

describe('docs/environment.md', () => {
  const text = read('docs/environment.md');
  const variables = new Set(
    sources
      .flatMap((file) => read(file).match(/\bEVALSAGA_[A-Z][A-Z0-9_]*[A-Z0-9]\b/g) ?? [])
      .filter((name) => !hereDocuments.includes(name)),
  );

  test('the sources name variables', () => expect(variables.size).toBeGreaterThan(15));

  test.each([...variables])('names %s', (name) => expect(text).toMatch(new RegExp(`\\b${name}\\b`)));
});

describe('links to files point to files that the package ships', () => {
  const { files: shipped } = JSON.parse(read('package.json')) as { files: string[] };
  const documents = [
    ...['README.md', 'CHANGELOG.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'],
    ...readdirSync(path.join(root, 'docs')).map((name) => `docs/${name}`),
  ].filter((name) => name.endsWith('.md'));
  const links = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, link = '']) => ({
      document,
      file: path.posix.join(path.posix.dirname(document), link),
    })),
  );

  test('the documents have links', () => expect(links.length).toBeGreaterThan(5));

  test.each(links.map(({ document, file }) => [document, file] as const))('%s → %s', (_document, file) => {
    expect(existsSync(path.join(root, file))).toBe(true);
    expect(shipped).toContain(file.split('/')[0]);
  });
});

describe('ARCHITECTURE.md and CONTRIBUTING.md', () => {
  const documents = ['ARCHITECTURE.md', 'CONTRIBUTING.md'];
  /** `src/a/b.ts`, `cli/x.ts` (below src), `read-scores.ts` (anywhere below src), or a folder that ends in /. */
  const named = documents.flatMap((document) =>
    [...read(document).matchAll(/`((?:[\w.-]+\/)*(?:[\w-]+\.(?:ts|json)|[\w.-]+\/))`/g)].map(
      ([, name = '']) => [document, name] as const,
    ),
  );
  const inSources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' });
  /** Created by the build or by a run, or suggested for an exporter. */
  const toBeMade = ['dist/', 'run.json', 'src/export/'];

  test('name some files', () => expect(named.length).toBeGreaterThan(30));

  test.each(named.filter(([, name]) => !toBeMade.includes(name)))('%s names `%s`, which exists', (_document, name) => {
    const bare = name.replace(/\/$/, '');
    const found =
      existsSync(path.join(root, bare)) || inSources.some((file) => file === bare || file.endsWith(`/${bare}`));
    expect(found).toBe(true);
  });

  test('ARCHITECTURE.md lists the imports that dependency-cruiser allows', () => {
    const { allowed } = createRequire(__filename)('../../.dependency-cruiser.cjs') as { allowed: Rule[] };
    const checked = allowed.flatMap(({ from, to }) => {
      const [folder = ''] = foldersIn(from.path);
      return Array.isArray(to.path) ? [[folder, foldersIn(to.path).filter((name) => name !== folder)] as const] : [];
    });
    const [, block = ''] = /## Which folder may import which[^]*?```\n([^]*?)```/.exec(read('ARCHITECTURE.md')) ?? [];
    const listed = block
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/))
      .map(([folder = '', ...others]) => [folder, others.filter((name) => name !== '-')] as const);
    const sorted = (arrows: readonly (readonly [string, readonly string[]])[]) =>
      Object.fromEntries(arrows.map(([folder, others]) => [folder, others.toSorted()]));
    expect(sorted(listed)).toEqual(sorted(checked));
  });
});

interface Rule {
  readonly from: { readonly path: string };
  readonly to: { readonly path?: string | readonly string[] };
}

/** Folders that patterns such as `^src/config(/|\.ts$)` stand for. */
const foldersIn = (patterns: string | readonly string[]): string[] =>
  [patterns].flat().map((pattern) => /^\^src\/([\w-]+)/.exec(pattern)?.[1] ?? pattern);
