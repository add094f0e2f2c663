import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Documents name what is there: variables that the code reads, and files that the package ships. */

const root = path.resolve(__dirname, '..', '..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(?:ts|py)$|\/nemo-evaluator$/.test(name))
  .map((name) => path.join('src', name));

/** Marks the ends of texts within a job's script. */
const hereDocuments = ['EVALSAGA_END', 'EVALSAGA_HIDE'];

describe('docs/environment.md', () => {
  const text = read('docs/environment.md');
  const variables = new Set(
    sources
      .flatMap((file) => read(file).match(/\bEVALSAGA_[A-Z][A-Z0-9_]*[A-Z0-9]\b/g) ?? [])
      .filter((name) => !hereDocuments.includes(name)),
  );

  test('there are some', () => expect(variables.size).toBeGreaterThan(15));

  test.each([...variables])('names %s', (name) => expect(text).toMatch(new RegExp(`\\b${name}\\b`)));
});

describe('links to files lead to what the package ships', () => {
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

  test('there are some', () => expect(links.length).toBeGreaterThan(5));

  test.each(links.map(({ document, file }) => [document, file] as const))('%s → %s', (_document, file) => {
    expect(existsSync(path.join(root, file))).toBe(true);
    expect(shipped).toContain(file.split('/')[0]);
  });
});
