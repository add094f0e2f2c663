import { currentName } from '../../../../src/config/catalogue/former-names';
import { parseConfigDocument } from '../../../../src/config/migrate/config-document';
import { keepFormat } from '../../../../src/config/migrate/keep-format';
import { marksIn, withMarks } from '../../../../src/config/migrate/marks';
import { durationText, slurmSeconds } from '../../../../src/config/migrate/rules/slurm-time';
import { prefixed } from '../../../../src/config/migrate/rules/variables';

describe('values of environment variables', () => {
  const value = (name: string, text: string, kind: 'named' | 'literal' = 'named', isText = true) => {
    const result = prefixed({ name, text, kind, isText });
    return result.kind === 'new' ? result.text : result.kind;
  };

  test.each([
    ['host:A', 'same'],
    ['lit:a b', 'same'],
    ['runtime:A', 'same'],
    ['HF_TOKEN_FOR_X', 'host:HF_TOKEN_FOR_X'],
    ['$MY_VAR', 'host:MY_VAR'],
    ['${oc.env:MY_VAR}', 'host:MY_VAR'],
    // With a default there is nothing to gain: it works as it is.
    ['${oc.env:MY_VAR,4}', 'same'],
    ['${oc.decode:${oc.env:MY_VAR}}', 'same'],
    ['/a/path', 'lit:/a/path'],
    ['two words', 'lit:two words'],
    ['https://host/x', 'lit:https://host/x'],
    ['/a/${oc.env:USER}', 'lit:/a/${oc.env:USER}'],
  ])('%s', (text, expected) => expect(value('NAME', text)).toBe(expected));

  test('numbers and truth values are what Python wrote', () => {
    expect(value('N', '0', 'named', false)).toBe('lit:0');
    expect(value('N', 'true', 'named', false)).toBe('lit:True');
    expect(value('N', 'off', 'named', false)).toBe('lit:False');
  });

  test('a lower-case word names a variable of the host where only names could stand, and is a text elsewhere', () => {
    expect(value('TRANSPORT', 'shm', 'named')).toBe('host:shm');
    expect(value('TRANSPORT', 'shm', 'literal')).toBe('lit:shm');
  });

  test('what may be a secret is asked', () => {
    expect(value('HF_TOKEN', 'hf_your_token')).toBe('ask');
    expect(value('HF_TOKEN', `hf_${'aB3'.repeat(8)}`)).toBe('ask');
    expect(value('ANY', `nvapi-${'aB3'.repeat(8)}`)).toBe('ask');
    expect(value('API_KEY', 'some secret!')).toBe('ask');
  });
});

test.each([
  ['30', 1800],
  ['30:15', 1815],
  ['04:00:00', 14_400],
  ['2-00', 172_800],
  ['1-12:30', 131_400],
  ['1-00:00:01', 86_401],
  ['soon', undefined],
  ['4h', undefined],
])("Slurm's time %s", (text, seconds) => expect(slurmSeconds(text)).toBe(seconds));

test('durations are written short', () => {
  expect([14_400, 5400, 75, 0].map(durationText)).toEqual(['4h', '90m', '75s', '0s']);
});

describe('names of tasks', () => {
  test.each([
    ['mmlu', 'chat', 'simple_evals.mmlu'],
    ['mmlu', 'completions', 'lm-evaluation-harness.mmlu'],
    ['ifeval', undefined, 'lm-evaluation-harness.ifeval'],
    ['gpqa_diamond', 'chat', 'simple_evals.gpqa_diamond'],
    ['mbpp', undefined, 'mbpp-chat'],
    ['mmlu_prox_de', 'completions', 'mmlu_prox_de_completions'],
    ['lm-evaluation-harness.mmlu_prox', undefined, 'lm-evaluation-harness.mmlu_prox_chat'],
    ['adlr_minerva_math_nemo', undefined, 'adlr_minerva_math_nemo_4_shot'],
    // Its only variant for completions looks for contamination.
    ['ifeval', 'completions', undefined],
  ])('%s (%s) is %s today', (name, kind, today) => expect(currentName(name, kind)?.name).toBe(today));

  test.each(['hellaswag', 'mmlu', 'hellaswagg', 'aa_scicode'])('%s stays: unchanged, or not certain', (name) =>
    expect(currentName(name, undefined)).toBeUndefined(),
  );
});

test('formatting is kept where nothing changed, also around a change', () => {
  const original = `a:   1    # one\n\n\nb:\n    - x\n    -   y   # y\nc: >-\n  folded\n  text\nd: {x:  1}\n`;
  const document = parseConfigDocument(original);
  document.setText(['b', 0], 'z');
  expect(keepFormat(original, document.toString())).toBe(original.replace('- x', '- z'));
});

test('removing a key keeps the comments on lines of their own, and drops mappings that get empty', () => {
  const document = parseConfigDocument('a:\n  # about the group\n  b: 1 # about b\n  # at the end\nc: 2\n');
  document.take(['a', 'b']);
  expect(document.toString()).toBe('# about the group\n# at the end\nc: 2\n');
});

test('marks stand above their line, once, at its indentation', () => {
  const text = 'a:\n  b:\n    - name: x\n      y: 1\n';
  const marked = withMarks(text, [
    { path: 'a.b.0.y', text: 'first\nline' },
    { path: 'a.b.0.name', text: 'second' },
    { path: 'a.zzz', text: 'third' },
  ]);
  expect(marked).toBe(
    '# evalsaga migrate: third\na:\n  b:\n    # evalsaga migrate: second\n    - name: x\n      # evalsaga migrate: first line\n      y: 1\n',
  );
  expect(withMarks(marked, [{ path: 'a.b.0.y', text: 'first line' }])).toBe(marked);
  expect(marksIn(marked).map(({ line }) => line)).toEqual([1, 4, 6]);
});
