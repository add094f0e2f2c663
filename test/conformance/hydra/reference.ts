/** The real Hydra in one Python process: cases in, composed configs out. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { pythonWith } from './python';

export interface HydraCase {
  /** Path below the config folder to text; `config.yaml` is the primary one. */
  readonly files: Readonly<Record<string, string>>;
  readonly overrides: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export type Encoded =
  null | boolean | { i: string } | { f: string } | { s: string } | { m: [string, Encoded][] } | { l: Encoded[] };

export type Answer = { value: Encoded } | { error: string };

export class HydraReference {
  private readonly answers: AsyncIterator<string>;

  private constructor(
    private readonly process: ChildProcessWithoutNullStreams,
    private readonly presets: string,
  ) {
    this.answers = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  static async start(presets: string): Promise<HydraReference> {
    const python = await pythonWith(['hydra-core==1.3.8', 'omegaconf==2.3.1']);
    return new HydraReference(
      spawn(python, [path.join(__dirname, 'compose.py')], { stdio: ['pipe', 'pipe', 'pipe'] }),
      presets,
    );
  }

  async compose({ files, overrides, env = {} }: HydraCase): Promise<Answer> {
    this.process.stdin.write(`${JSON.stringify({ files, name: 'config', overrides, env, presets: this.presets })}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new Error('the reference ended');
    return JSON.parse(value) as Answer;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('close', resolve));
    this.process.stdin.end();
    await ended;
  }
}
