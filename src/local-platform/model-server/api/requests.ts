import { z } from 'zod';
import { badRequest } from './api-failure';

/** Largest number of alternatives per token; the same as vLLM's. */
const MAX_LOGPROBS = 20;

const tokenIds = z.array(z.int().nonnegative()).min(1);
const stop = z
  .union([z.string(), z.array(z.string()).max(4)])
  .nullish()
  .transform((value) => (typeof value === 'string' ? [value] : (value ?? [])));

const sampling = {
  model: z.string().optional(),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .transform((value) => value ?? 1),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .nullish()
    .transform((value) => value ?? 1),
  /** An extension of vLLM; -1 and 0 mean no truncation. */
  top_k: z
    .int()
    .min(-1)
    .nullish()
    .transform((value) => Math.max(value ?? 0, 0)),
  seed: z
    .int()
    .nullish()
    .transform((value) => value ?? undefined),
  n: z.literal(1, 'Only n=1 is supported.').nullish(),
  stop,
  stream: z.boolean().nullish().transform(Boolean),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
};

const completionRequest = z.object({
  ...sampling,
  prompt: z.union([z.string(), tokenIds, z.array(z.union([z.string(), tokenIds])).min(1)]),
  max_tokens: z
    .int()
    .nonnegative()
    .nullish()
    .transform((value) => value ?? 16),
  echo: z.boolean().nullish().transform(Boolean),
  logprobs: z
    .int()
    .min(0)
    .max(MAX_LOGPROBS)
    .nullish()
    .transform((value) => value ?? undefined),
  best_of: z.literal(1, 'Only best_of=1 is supported.').nullish(),
  suffix: z.null('suffix is not supported.').optional(),
});

const content = z
  .union([
    z.string(),
    z.array(z.object({ type: z.literal('text', 'Only text content is supported.'), text: z.string() })),
    z.null(),
  ])
  .transform((value) => (Array.isArray(value) ? value.map(({ text }) => text).join('') : (value ?? '')));
const messages = z.array(z.object({ role: z.string(), content })).min(1);

const chatRequest = z.object({
  ...sampling,
  messages,
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  logprobs: z.boolean().nullish().transform(Boolean),
  top_logprobs: z
    .int()
    .min(0)
    .max(MAX_LOGPROBS)
    .nullish()
    .transform((value) => value ?? 0),
  tools: z.array(z.never('Tools are not supported.')).nullish(),
});

const tokenizeRequest = z.union([
  z.object({ model: z.string().optional(), prompt: z.string(), add_special_tokens: z.boolean().default(true) }),
  z.object({ model: z.string().optional(), messages, add_generation_prompt: z.boolean().default(true) }),
]);

const detokenizeRequest = z.object({ model: z.string().optional(), tokens: z.array(z.int().nonnegative()) });

export type CompletionRequest = z.infer<typeof completionRequest>;
export type ChatRequest = z.infer<typeof chatRequest>;

export const requestSchemas = {
  completion: completionRequest,
  chat: chatRequest,
  tokenize: tokenizeRequest,
  detokenize: detokenizeRequest,
};

/** Reads a request's body. Throws a 400 that names every invalid field. */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw badRequest('The request body is not JSON.');
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw badRequest(
    parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; '),
  );
}
