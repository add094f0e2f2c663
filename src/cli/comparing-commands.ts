import type { Command, CommandOption } from './command';
import { json } from './common-options';

const sides = [
  [
    '<base>',
    "a run's id, its first digits or its name, with .N its task N, with /MODEL one of its models; or a folder of results (evalsaga, lm-eval, nel)",
  ],
  ['<candidate>', 'the same, of what is compared with it'],
] as const;
const comparing: readonly CommandOption[] = [
  { form: '-o, --output <file>', meaning: 'write to this file' },
  {
    form: '--alpha <share>',
    meaning: 'chance of taking an accident for a change, over all tasks; 0.05 gives intervals of 95 %',
    default: '0.05',
  },
  {
    form: '--metric <name>',
    meaning: 'only this score, e.g. acc_norm or exact_match__strict-match',
    repeated: true,
  },
  {
    form: '--lower-is-better <name>',
    meaning: "a metric of which less is better, if its harness doesn't say so",
    repeated: true,
  },
  { form: '--cluster <field>', meaning: 'field of the samples that tells which belong together, e.g. doc.subject' },
  {
    form: '--accept <kinds>',
    meaning: 'compare in spite of these differences, e.g. few-shot,generation',
    repeated: true,
  },
  { form: '--show-flips [count]', meaning: 'show samples that changed, per score (default: 10)' },
  { form: '--parts', meaning: 'show the scores of parts too, such as the subjects of MMLU' },
  { form: '--seed <number>', meaning: 'of permutation tests', default: '1' },
  json,
];

/** Commands that judge results of two runs. */
export const comparingCommands: readonly Command[] = [
  {
    name: 'compare',
    arguments: sides,
    summary: 'compare the scores of two runs, sample by sample: exit code 0 no regression, 1 regression, 2 not certain',
    options: [
      {
        form: '--format <format>',
        meaning: 'table, json, md or html (default: by the name of the file, else table)',
        choices: ['table', 'json', 'md', 'html'],
      },
      {
        form: '--max-drop <drop>',
        meaning: 'how much worse a score may be, on its own scale; it must then be shown that none is',
      },
      ...comparing,
    ],
    examples: [
      'compare 3f2a 9c0b',
      'compare 3f2a.0 9c0b.0 --show-flips',
      'compare 3f2a/base 3f2a/tuned',
      'compare base/ candidate/ --max-drop 0.01 -o report.md',
    ],
    load: async () => (await import('./commands/compare.js')).compare,
  },
  {
    name: 'gate',
    arguments: sides,
    summary: 'apply a release policy to two runs: exit code 0 GO, 1 NO-GO, 2 INCONCLUSIVE',
    options: [
      { form: '--policy <file>', meaning: "which scores must not get worse, and by how much (nel's format)" },
      {
        form: '--format <format>',
        meaning: 'table, json, md or junit (default: by the name of the file, else table)',
        choices: ['table', 'json', 'md', 'junit'],
      },
      ...comparing,
    ],
    examples: ['gate 3f2a 9c0b --policy policy.yaml', 'gate base/ candidate/ --policy policy.yaml -o gate.xml'],
    load: async () => (await import('./commands/gate.js')).gate,
  },
];
