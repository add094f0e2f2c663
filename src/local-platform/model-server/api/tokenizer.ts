import type { Hono } from 'hono';
import { encode, unknownToken } from '../tokens';
import { encodeChat } from './chat';
import { badRequest } from './api-failure';
import type { Serving } from './generation';
import { readBody, requestSchemas } from './requests';

/**
 * Adds vLLM's `/tokenize`, `/detokenize` and `/tokenizer_info`, for clients without tokenizer files such as lm-eval's
 * `remote` backend.
 */
export function addTokenizerRoutes(
  app: Hono,
  serving: Serving,
  checkModel: (requested: string | undefined) => void,
): void {
  const { loaded, engine } = serving;
  app.post('/tokenize', async (context) => {
    const body = await readBody(context.req.raw, requestSchemas.tokenize);
    checkModel(body.model);
    const ids =
      'prompt' in body
        ? encode(loaded.model, body.prompt, body.add_special_tokens)
        : encodeChat(serving, body.messages, body.add_generation_prompt);
    return context.json({ count: ids.length, max_model_len: engine.maxLength, tokens: ids, token_strs: null });
  });
  app.post('/detokenize', async (context) => {
    const body = await readBody(context.req.raw, requestSchemas.detokenize);
    checkModel(body.model);
    const unknown = unknownToken(loaded.model, body.tokens);
    if (unknown !== undefined) throw badRequest(`tokens: the vocabulary has no token ${unknown}.`);
    return context.json({ prompt: loaded.model.detokenize(body.tokens, true) });
  });
  app.get('/tokenizer_info', (context) =>
    context.json({
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: loaded.model.tokens.bosString,
      eos_token: loaded.model.tokens.eosString,
      pad_token: loaded.model.tokens.eosString,
      chat_template: loaded.model.fileInfo.metadata?.tokenizer?.chat_template ?? null,
      model_max_length: engine.maxLength,
    }),
  );
}
