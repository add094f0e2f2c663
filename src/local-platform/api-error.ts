/** An error response of the API, sent as `{code, message}` as the service does. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 500;
  readonly code: string;

  constructor(status: ApiError['status'], message: string, code: string = codes[status]) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const codes: Readonly<Record<ApiError['status'], string>> = {
  400: 'InvalidRequest',
  401: 'StatusUnauthorized',
  403: 'StatusForbidden',
  404: 'ResourceNotFound',
  409: 'ResourceConflict',
  413: 'RequestTooLarge',
  500: 'InternalError',
};

export const invalid = (message: string): ApiError => new ApiError(400, message);
export const notFound = (message: string): ApiError => new ApiError(404, message);
export const conflict = (message: string): ApiError => new ApiError(409, message);
