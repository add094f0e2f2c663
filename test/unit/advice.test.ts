import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { commands } from '../../src/cli/commands';
import { parseArguments } from '../../src/cli/program';
import { problems, runnable } from './config/configs';

/** Commands and config keys that messages and documents name must exist. */

const root = path.resolve(__dirname, '..', '..');
const texts = ['README.md', ...filesIn('docs', '.md'), ...filesIn('examples', '.yaml'), ...filesIn('src', '.ts', '.py')]
  .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }))
  .map(({ file, text }) => ({ file, text: file.startsWith('src') ? withoutComments(text) : text }));

function filesIn(folder: string, ...endings: string[]): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => path.join(folder, name));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|^\s*(?:\/\/|#).*$/gm, '');
}

const names = new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''));
/** Matches the program's name, written out or inserted into a message, and the rest of the command. */
const called = /(?:(?<![\w./@-])evalsaga(?: --)?|\$\{program(?:Name\([\w.]+\))?\}) ([^\n`'"]*)/g;
/** Matches words that belong to a command; the first word that doesn't match is prose. */
const argument =
  /^(?:-{1,2}[a-z][\w-]*(?:=\S+)?|\$\{[^}]*\}(?:\.\$\{[^}]*\})?|[A-Z][A-Z_]*(?:\[?\.[A-Z]\]?)?|<\w+>|[\w~./-]*[/.][\w./-]*|[0-9a-f]{4,16}|\d+)$/;
const followers: Readonly<Record<string, readonly string[]>> = { ls: ['runs', 'tasks', 'task'], config: ['show'] };

function advised(text: string): string[][] {
  return [...text.matchAll(called)].flatMap(([, rest = '']) => {
    const [first = '', ...more] = rest.split(/\s+/).map((word) => word.replace(/[.,;:)\\]+n?$|\\[n0].*$/, ''));
    if (!/^[a-z][a-z-]*$/.test(first)) return [];
    const words = [first];
    for (const [at, word] of more.entries()) {
      const before = rest.split(/\s+/)[at] ?? '';
      if (/[.,;:)]$/.test(before)) break;
      const isValue = /^-/.test(before) && commandOption(first, before)?.includes('<');
      if (!isValue && !argument.test(word) && !followers[first]?.includes(word)) break;
      words.push(word);
    }
    return [words];
  });
}

const commandOption = (name: string, option: string): string | undefined =>
  commands
    .filter((command) => command.name.split(' ')[0] === name)
    .flatMap(({ options }) => options.map(({ form }) => form))
    .find((form) => form.split(/[ ,]+/).includes(option));

/** Words that follow the program's name in sentences. */
const prose = (
  'needs is starts sets reads makes local left knows keeps has does creates could speaks serves tells asks evaluation ' +
  'gives on than command finds deploys adds sends fetches retries runs and can will itself'
).split(' ');

test.each(texts.flatMap(({ file, text }) => advised(text).map((words) => [words.join(' '), file, words] as const)))(
  '`evalsaga %s` (%s)',
  (_text, _file, [first = '', ...rest]) => {
    if (prose.includes(first) && !names.has(first)) return;
    expect([...names]).toContain(first);
    if (rest.length === 0) return;
    const argv = [first, ...rest].map((word) => word.replace(/\$\{[^}]*\}/g, '3f2a'));
    const parse = (words: readonly string[]) => parseArguments(commands, words).kind;
    let kind: string;
    try {
      kind = parse(argv);
    } catch (error) {
      // A text may omit the id.
      if (!/missing required argument/.test((error as Error).message)) throw error;
      kind = parse([...argv, '3f2a']);
    }
    expect(kind).toBe('run');
  },
);

describe('config keys named in messages and documents exist', () => {
  const key = /(?<![\w./$-])(execution|deployment|evaluation|target)((?:\.[a-z_]+)+)(?![\w/(*]|\.[A-Z\d<$])/g;
  /** Whether it is the name of a file or of something in code. */
  const isCode = (path: string): boolean =>
    /^deployment\.(?:spec|name)\b|\.(?:ts|js|yaml|type|length|map|kind|includes|entries)$/.test(path);
  const inMessages = texts.filter(({ file }) => !file.startsWith('src/config/') && !file.endsWith('.py'));
  const found = new Set(
    inMessages.flatMap(({ file, text }) =>
      (file.startsWith('src')
        ? [...text.matchAll(/(['"`])((?:(?!\1)[^\\]|\\.)*)\1/g)].map(([, , quoted = '']) =>
            quoted.replace(/\$\{[^}]*\}/g, ''),
          )
        : [text]
      )
        .flatMap((words) => [...words.matchAll(key)].map(([whole]) => whole))
        .filter((whole) => !isCode(whole)),
    ),
  );

  test('messages and documents name config keys', () => expect(found.size).toBeGreaterThan(10));

  test.each([...found])('%s', async (name) => {
    const base = runnable().replace(
      'deployment: vllm',
      `deployment: ${/endpoint\.url|target\./.test(name) ? 'none' : 'vllm'}`,
    );
    const said = await problems(base, { overrides: [`++${name}=1`, 'execution.output_dir=???'] });
    const about = said.filter(
      ({ path, message }) => /no (?:key|effect)/.test(message) && (name.startsWith(path) || path.startsWith(name)),
    );
    expect(about.map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
  });
});
