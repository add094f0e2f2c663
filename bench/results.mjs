/**
 * What was measured: rows in bench/results.json, each with its date and commit, and bench/RESULTS.md, which is written from them. A new
 * measurement replaces the row of the same kind and key, and leaves all others.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem, type } from 'node:os';
import path from 'node:path';
import { root } from './lab.mjs';
import { sections } from './sections.mjs';

const file = (name) => path.join(root, 'bench', name);

/** Keeps a row and writes both files. `key`: what it is about, unique among rows of its kind. */
export function keepRow(kind, key, figures) {
  const row = { kind, key, date: new Date().toISOString().slice(0, 10), commit: commit(), machine: machine(), figures };
  console.error(JSON.stringify(row));
  const others = readRows().filter((one) => one.kind !== kind || one.key !== key);
  const rows = [...others, row];
  writeFileSync(file('results.json'), `[\n${rows.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
  writeFileSync(file('RESULTS.md'), render(rows));
}

/** Writes RESULTS.md anew from the rows. */
export const renderAgain = () => writeFileSync(file('RESULTS.md'), render(readRows()));

function readRows() {
  const known = file('results.json');
  return existsSync(known) ? JSON.parse(readFileSync(known, 'utf8')) : [];
}

function render(rows) {
  const parts = sections
    .map((section) => ({ section, own: rows.filter(({ kind }) => kind === section.kind) }))
    .filter(({ own }) => own.length > 0)
    .map(({ section, own }) => {
      const sorted = own.toSorted(
        (a, b) => section.order(a.figures) - section.order(b.figures) || (a.key < b.key ? -1 : 1),
      );
      const head = [...section.columns.map(([title]) => title), 'measured'];
      const body = sorted.map(({ figures, date, commit: at }) => [
        ...section.columns.map(([, cell]) => cell(figures)),
        `${date}, ${at}`,
      ]);
      return `## ${section.title}\n\n${table([head, ...body])}\n\n${section.notes}\n`;
    });
  return `# Measured\n\n${intro(rows)}\n\n${parts.join('\n')}`;
}

function intro(rows) {
  const machines = [...new Set(rows.map((row) => row.machine))];
  return `On ${machines.join('; and on ')}. Client, worker, server and simulated platform share the cores. One run each. Repeat alone on the machine.\nThe rows are kept in \`results.json\`; a measurement replaces its own row only.`;
}

const table = ([head, ...rows]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function machine() {
  const sdk = JSON.parse(readFileSync(path.join(root, 'node_modules/@temporalio/worker/package.json'), 'utf8')).version;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  return `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${memory}, ${type()}, Node ${process.version}, Temporal SDK ${sdk}`;
}

function commit() {
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'package-lock.json') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' and changes' : ''}`;
  } catch {
    return 'no commit';
  }
}
