/** Composes cases with the real Hydra, in one Python process. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { pythonWith } from './python';

export interface HydraCase {
  /** Texts by path below the config folder; `config.yaml` is the primary config. */
  readonly files: Readonly<Record<string, string>>;
  readonly overrides: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export type Encoded =
  null | boolean | { i: string } | { f: string } | { s: string } | { m: [string, Encoded][] } | { l: Encoded[] };

export type Answer = { value: Encoded } | { error: string };

/** A Python script that answers each line of JSON with a line of JSON. */
export class JsonLines {
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string>;
  private errors = '';

  constructor(python: string, script: string) {
    this.process = spawn(python, [path.join(__dirname, script)], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.process.stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + chunk.toString()).slice(-4000)));
    this.answers = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  async ask(question: unknown): Promise<unknown> {
    this.process.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new Error(`the reference process has ended: ${this.errors}`);
    return JSON.parse(value);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('close', resolve));
    this.process.stdin.end();
    await ended;
  }
}

export class HydraReference {
  private constructor(
    private readonly lines: JsonLines,
    private readonly presets: string,
  ) {}

  static async start(presets: string): Promise<HydraReference> {
    const python = await pythonWith(['hydra-core==1.3.8', 'omegaconf==2.3.1']);
    return new HydraReference(new JsonLines(python, 'compose.py'), presets);
  }

  async compose({ files, overrides, env = {} }: HydraCase): Promise<Answer> {
    return (await this.lines.ask({ files, name: 'config', overrides, env, presets: this.presets })) as Answer;
  }

  async stop(): Promise<void> {
    await this.lines.stop();
  }
}
