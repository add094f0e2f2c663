import type { ChaosCase } from './cases';
import type { Course } from './courses';
import type { Facts } from './run-case';

/**
 * Checks the command that started or cancelled a run: it must end, with the exit code that the run's end requires. It
 * may give up if it is denied access or repeatedly gets no response, and must then name the run that continues without
 * it. Pure.
 */
export function commandRules(facts: Facts, course: Course, one: ChaosCase | undefined): string[] {
  const { command, disturbance, started } = facts;
  if (!command) return [];
  if (command.hung) return [`the command did not end: ${lastWords(command.stderr)}`];
  const { event } = one ?? {};
  const isCancel = course.cancelAfterJobs !== undefined;
  if (event === 'kill command' && disturbance.eventHappened) return [];
  const silent = one?.fault.answer.kind === 'silence' && one.times > 1;
  const denied = (one?.fault.denies === true || silent) && disturbance.hits > 0;
  const seen = `exit ${command.code ?? command.signal}: ${lastWords(command.stderr)}`;
  const interrupted = (event === 'cancel' || event === 'second cancel') && disturbance.eventHappened;
  if (!started) {
    if (interrupted && wasInterrupted(command)) return [];
    // The cases of a stack share its processes: another one had killed the platform, and this one proves nothing.
    if (one?.event.startsWith('kill ') && disturbance.hits === 0 && command.code === 3) return [];
    return denied && command.code === 3 ? [] : [`no run was started, ${seen}`];
  }
  if (denied && command.code === 3) {
    const named = isCancel || /[0-9a-f]{16}/.test(command.stderr);
    return named ? [] : [`gave up without naming its run, ${seen}`];
  }
  if (interrupted && !isCancel) {
    const heeded = /cancelling:|Interrupted/.test(command.stderr) || wasInterrupted(command);
    if (!heeded) return [`Ctrl-C was not heeded, ${seen}`];
    // Ended by Ctrl-C when the run had already closed and only the final output was missing.
    if (command.signal === 'SIGINT' && facts.run?.cancelRequested === false) return [];
  }
  // For `cancel` a cancelled run is a success; for `start` it is not.
  const expected = isCancel && facts.exitCode === 4 ? 0 : facts.exitCode;
  return command.code === expected ? [] : [`the command had to exit with ${expected}, ${seen}`];
}

const wasInterrupted = ({ code, signal }: NonNullable<Facts['command']>): boolean =>
  code === 130 || signal === 'SIGINT';

const lastWords = (stderr: string): string => stderr.trim().split('\n').slice(-4).join(' / ').slice(-600);
