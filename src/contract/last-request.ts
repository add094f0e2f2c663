/**
 * What a job's log says once the harness has made its last request to the model, so that the endpoint can go before the job ends
 * (`execution.release_endpoint`). Pure.
 */

/** Variable of a job: the text that only its script knows. The job's log holds answers of the model, which must not pass for the mark. */
export const answeredVariable = 'EVALSAGA_ANSWERED';

/** The line begins with this. Log stores that can search are asked for progress bars, so it has the form of one. */
const beginning = 'evalsaga: the last request is answered: 100%|';

/** Returns the line that the script writes; `nonce` may be an expression of the shell. */
export const answeredLine = (nonce: string): string => `${beginning}${nonce}|`;

/** File in the task's folder: this job has written its mark. A container that the platform starts again finds it there. */
export const answeredFile = '.evalsaga_answered';

/** Last line of a job that the platform started again, and that then asked for what is not in its cache. */
export const asksReleased =
  'evalsaga: this job was started again after its last request, and asks the model for more, whose endpoint is released (execution.release_endpoint)';

/** What is said of a job that goes on without its endpoint. */
export const releasedWords = 'endpoint released after the last request';

interface Variable {
  readonly name: string;
  readonly value?: string | undefined;
}

/** Returns what the job's mark contains; `undefined`: the job makes none. `envs`: the job's variables as the platform lists them. */
export const nonceOf = (envs: readonly Variable[] | undefined): string | undefined => {
  const nonce = envs?.find(({ name }) => name === answeredVariable)?.value;
  return nonce !== undefined && /^[0-9a-f]{32}$/.test(nonce) ? nonce : undefined;
};

/** Whether one of the lines is, or ends with, the job's mark. */
export const isAnsweredIn = (lines: readonly string[], nonce: string): boolean =>
  lines.some((line) => line.includes(answeredLine(nonce)));
