import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { distributionOfCounts, type Distribution } from './distribution';

/** Tokens per request; `null`: the server didn't say. */
export interface TokenDistributions {
  readonly prompt: Distribution | null;
  readonly completion: Distribution | null;
}

/** The job's script writes it from what the evaluator kept of each request. */
const fileName = 'evalsaga_tokens.json';

/** Bytes; each number of tokens that occurs takes some ten. */
const maxFileBytes = 16 * 1024 * 1024;

const counts = z.record(z.string().regex(/^\d{1,9}$/), z.number().int().positive()).catch({});
const fileSchema = z.looseObject({ prompt_tokens: counts.default({}), completion_tokens: counts.default({}) });

/** Reads the distribution in a task's result folder. `undefined`: the evaluator kept nothing of single requests. */
export async function readTokenDistributions(folder: string): Promise<TokenDistributions | undefined> {
  const file = path.join(folder, fileName);
  try {
    if ((await stat(file)).size > maxFileBytes) return undefined;
    return tokenDistributions(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Interprets the file's content. Pure. */
export function tokenDistributions(content: unknown): TokenDistributions | undefined {
  const { data } = fileSchema.safeParse(content);
  const [prompt, completion] = [distributionIn(data?.prompt_tokens), distributionIn(data?.completion_tokens)];
  return prompt === null && completion === null ? undefined : { prompt, completion };
}

const distributionIn = (times: Readonly<Record<string, number>> = {}): Distribution | null =>
  distributionOfCounts(Object.entries(times).map(([value, count]) => [Number(value), count] as const)) ?? null;
