#!/usr/bin/env -S node --
import './check-node';
import path from 'node:path';
import { keyFileVariable } from '../temporal/encryption/key-file';
import { homePaths } from '../home/paths';
import { extraAuthorities } from '../stack/background-env';
import { explainFault, isTemporalFault } from '../temporal/grpc';
import type { CommandContext } from './command';
import { concealAllKnown } from './conceal';
import { UsageError } from './usage-error';
import { commandLineOf } from './command-line';
import { commands } from './commands';
import { withDiskFault } from './disk-fault';
import { exitCodeOf, exitCodeOfError } from './exit-code';
import { createOutput, type Output } from './output';
import { parseArguments } from './program';
import { viaNpmScript } from './program-name';
import { errorDocument, errorText } from './render-error';

async function main(argv: readonly string[]): Promise<number> {
  const output = createOutput(process, process.env);
  return output.exitCode(await codeOf(argv, output));
}

/** Runs the command, and prints whatever it throws. */
async function codeOf(argv: readonly string[], output: Output): Promise<number> {
  try {
    const parsed = parseArguments(commands, argv);
    if (parsed.kind === 'printed') return 0;
    const cwd = workingDirectory(process.env);
    const context: CommandContext = {
      env: withAbsolutePaths(process.env, cwd),
      cwd,
      home: homePaths(process.env),
      output,
      commandLine: commandLineOf(argv),
    };
    const run = await parsed.load();
    return exitCodeOf(await run(parsed.input, context));
  } catch (thrown) {
    const error = await withDiskFault(await explained(thrown), process.env);
    await report(error, { output, asJson: argv.includes('--json') });
    return exitCodeOfError(error);
  }
}

/** Adds to errors of Temporal's client which server it was, and what to do. */
async function explained(error: unknown): Promise<unknown> {
  if (!isTemporalFault(error)) return error;
  const { findTemporal } = await import('../stack/stack.js');
  const reach = await findTemporal(homePaths(process.env), process.env).catch(() => undefined);
  const name = reach ? `Temporal at ${reach.address}` : 'The embedded Temporal server';
  return (
    explainFault(error, { name, namespace: reach?.namespace ?? '', isEmbedded: reach?.isEmbedded ?? true }) ?? error
  );
}

/** Libraries and servers quote what they were given: an address with a proxy's password, a header, a run's variables. */
async function report(error: unknown, { output, asJson }: { output: Output; asJson: boolean }): Promise<void> {
  await concealAllKnown({ home: homePaths(process.env), env: process.env, output });
  output.note(errorText(error, output.style));
  if (asJson) output.json(errorDocument(error));
}

/** Makes paths absolute, because background processes have another working directory. */
function withAbsolutePaths(env: NodeJS.ProcessEnv, cwd: string): NodeJS.ProcessEnv {
  const key = env[keyFileVariable];
  // Node itself has resolved this one from the process's working directory.
  const authorities = env[extraAuthorities];
  return {
    ...env,
    ...(key ? { [keyFileVariable]: path.resolve(cwd, key) } : {}),
    ...(authorities ? { [extraAuthorities]: path.resolve(authorities) } : {}),
  };
}

/** Returns the user's working directory: `npm run` changes to the package's folder. */
function workingDirectory(env: NodeJS.ProcessEnv): string {
  try {
    process.cwd();
  } catch (error) {
    throw new UsageError(
      'The folder that this command was started in no longer exists: change to another one, then try again.',
      { cause: error },
    );
  }
  return path.resolve(viaNpmScript(env) ? (env['INIT_CWD'] ?? '.') : '.');
}

/** Exits once all output is written, without waiting for open sockets and timers. */
async function end(code: number): Promise<void> {
  process.exitCode = code;
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise<void>((flushed) => stream.write('', () => flushed()))),
  );
  process.exit(code);
}

void main(process.argv.slice(2)).then(end);
