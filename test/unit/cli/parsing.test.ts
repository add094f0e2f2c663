import { execFileSync } from 'node:child_process';
import { asCalled } from '../../../src/cli/program-name';
import { sinceTime } from '../../../src/cli/since';
import { commands } from '../../../src/cli/commands';
import { commandLineOf } from '../../../src/cli/command-line';
import { UsageError } from '../../../src/cli/usage-error';
import { hostSecretValues, refuseMissing } from '../../../src/cli/host-secrets';
import { parseArguments, type Parsed } from '../../../src/cli/program';
import { runAddress } from '../../../src/cli/session';

const parse = (...argv: string[]): Extract<Parsed, { kind: 'run' }> => {
  const parsed = parseArguments(commands, argv);
  if (parsed.kind !== 'run') throw new Error('nothing to run');
  return parsed;
};

describe('arguments', () => {
  test('start takes any number of overrides and tasks, and keeps a = in a value', () => {
    const { command, input } = parse('start', 'c.yaml', '-o', 'a.b=c=d', '--override', '~x', '-t', 'arc', '--json');
    expect(command.name).toBe('start');
    expect(input.arguments).toEqual(['c.yaml']);
    expect(input.options).toMatchObject({ override: ['a.b=c=d', '~x'], task: ['arc'], json: true, platform: 'auto' });
  });

  test('a nested command', () => {
    expect(parse('config', 'show', 'c.yaml').command.name).toBe('config show');
  });

  test.each([
    ['an unknown command', ['strat'], /unknown command 'strat'.*Did you mean start/s],
    ['an unknown option', ['start', 'c.yaml', '--detatch'], /--detatch.*Did you mean --detach/s],
    ['an invalid choice', ['start', 'c.yaml', '--platform', 'aws'], /auto, lepton, local/],
    ['too many arguments', ['start', 'a', 'b'], /too many arguments/],
    ['a missing argument', ['cancel'], /missing required argument 'id'/],
    ['an option without its value', ['start', '-o'], /argument missing/],
  ])('%s is refused with advice', (_case, argv, message) => {
    expect(() => parse(...argv)).toThrow(UsageError);
    expect(() => parse(...argv)).toThrow(message);
  });
});

describe('address of a run or task', () => {
  test.each([
    ['3f2a', { prefix: '3f2a', index: undefined }],
    ['3F2A.12', { prefix: '3f2a', index: 12 }],
    ['eval-0123456789abcdef.0', { prefix: '0123456789abcdef', index: 0 }],
  ])('%s', (text, address) => {
    expect(runAddress(text)).toEqual(address);
  });

  test.each(['3f2a.x', '3f2a.1.2', '3f2a.-1'])('%s is not an address', (text) => {
    expect(() => runAddress(text)).toThrow(UsageError);
  });
});

describe('the recorded command', () => {
  test('can be pasted into a shell; secret values are masked and references kept', () => {
    const argv = [
      'start',
      'my run.yaml',
      '-o',
      'deployment.envs.HF_TOKEN=hf_secret',
      '--override=x.api_key=abc',
      '-o',
      'x.api_key_name=NGC_KEY',
      '-o',
      'a.token=${oc.env:T}',
    ];
    expect(commandLineOf(argv)).toBe(
      "evalsaga start 'my run.yaml' -o 'deployment.envs.HF_TOKEN=***' '--override=x.api_key=***' -o x.api_key_name=NGC_KEY -o 'a.token=${oc.env:T}'",
    );
  });
});

describe('host secrets', () => {
  test('all missing or empty ones are named at once, without values', () => {
    expect(hostSecretValues(['A'], { A: 'x', B: 'y' })).toEqual({ values: { A: 'x' }, missing: [] });
    const some = hostSecretValues(['A', 'B', 'C'], { A: 'value-of-a', B: '' });
    expect(() => refuseMissing(some)).toThrow(/not set, or empty: B, C\. .*Nothing was created/);
    expect(() => refuseMissing(some)).not.toThrow(/value-of-a/);
  });
});

describe('--since', () => {
  const now = new Date('2026-01-31T12:00:00Z');

  test.each([
    ['90s', '2026-01-31T11:58:30.000Z'],
    ['1.5h', '2026-01-31T10:30:00.000Z'],
    ['2d', '2026-01-29T12:00:00.000Z'],
    ['2026-01-30T00:00:00Z', '2026-01-30T00:00:00.000Z'],
    ['2026-01-30', '2026-01-30T00:00:00.000Z'],
  ])('%s', (text, time) => expect(sinceTime(text, now).toISOString()).toBe(time));

  test.each(['', 'yesterday', '10', '-5m', '5 min', '2026-13-01', '2026-02-31', '2026-02-30T10:00:00Z', '2026-01-30x'])(
    '"%s" is refused',
    (text) => {
      expect(() => sinceTime(text, now)).toThrow(/--since takes/);
    },
  );
});

describe('commands in messages', () => {
  const text =
    'left behind: endpoint es-1. Finish with: evalsaga cleanup 3f2a, or evalsaga sweep; evalsaga is not evalsaga cleanups';
  const npm = { npm_package_name: 'evalsaga', npm_lifecycle_script: 'node dist/cli/main.js' };

  test('are written so that this user can paste them', () => {
    expect(asCalled(text, {})).toBe(text);
    expect(asCalled(text, npm)).toBe(
      text
        .replace('evalsaga cleanup 3', 'npm run evalsaga -- cleanup 3')
        .replace('evalsaga sweep', 'npm run evalsaga -- sweep'),
    );
    expect(asCalled(asCalled(text, npm), npm)).toBe(asCalled(text, npm));
  });

  test.each(['/tmp/my home', "/tmp/it's $(touch x)`", '/tmp/plain'])('include EVALSAGA_HOME, %s', (home) => {
    const line = asCalled('evalsaga cleanup 3f2a', { EVALSAGA_HOME: home });
    const script = `evalsaga() { printf '%s|' "$EVALSAGA_HOME" "$@"; }; ${line}`;
    expect(execFileSync('/bin/sh', ['-c', script], { env: {}, encoding: 'utf8' })).toBe(`${home}|cleanup|3f2a|`);
  });
});
