import type { CommandContext } from '../cli/command';
import type { Output } from '../cli/output';
import { plainStyle } from '../cli/render/style';
import { homePaths } from '../home/paths';

/** Where a program's calls belong, as the commands take it from their process. */
export interface Place {
  /** Variables: credentials, `TEMPORAL_*`, `EVALSAGA_*`. Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Absolute folder for relative paths. Default: the working directory. */
  readonly cwd?: string;
  /** Receives what the commands print to stderr: progress of a start, and warnings. Default: nobody. */
  readonly onNotice?: (text: string, kind: 'note' | 'warning') => void;
}

/** Returns the context in which code of the commands does the work of library calls: it prints nothing. */
export function contextOf({
  env = process.env,
  cwd = process.cwd(),
  onNotice = () => undefined,
}: Place): CommandContext {
  return { env, cwd, home: homePaths(env), output: silentOutput(onNotice), commandLine: 'started by a program' };
}

function silentOutput(tell: NonNullable<Place['onNotice']>): Output {
  return {
    answer: () => undefined,
    json: () => undefined,
    note: (text) => tell(text, 'note'),
    warn: (text) => tell(text, 'warning'),
    write: () => Promise.resolve(),
    conceal: () => undefined,
    style: plainStyle,
    answerStyle: plainStyle,
    isLive: false,
    width: () => 120,
    answerWidth: () => Infinity,
    height: () => 40,
    readerGone: new AbortController().signal,
    exitCode: (code) => code,
  };
}
