/** An error response in the format of OpenAI-compatible servers. */
export class ApiFailure extends Error {
  readonly status: 400 | 401 | 404 | 500;
  readonly type: string;

  constructor(options: { status: 400 | 401 | 404 | 500; type: string; message: string }) {
    super(options.message);
    this.name = 'ApiFailure';
    this.status = options.status;
    this.type = options.type;
  }

  body(): { error: { message: string; type: string; param: null; code: number } } {
    return { error: { message: this.message, type: this.type, param: null, code: this.status } };
  }
}

export function badRequest(message: string): ApiFailure {
  return new ApiFailure({ status: 400, type: 'BadRequestError', message });
}

export function modelNotFound(requested: string, served: string): ApiFailure {
  const message = `The model \`${requested}\` does not exist. This server serves \`${served}\`.`;
  return new ApiFailure({ status: 404, type: 'NotFoundError', message });
}

export function contextOverflow(options: { limit: number; prompt: number; completion: number }): ApiFailure {
  const { limit, prompt, completion } = options;
  return badRequest(
    `This model's maximum context length is ${limit} tokens. However, you requested ${prompt + completion} tokens ` +
      `(${prompt} in the prompt, ${completion} in the completion). Please reduce the length of the prompt or completion.`,
  );
}
