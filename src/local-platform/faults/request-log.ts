/** A request as shown by `/__sim/requests`. */
export interface LoggedRequest {
  /** ISO time of arrival. */
  readonly at: string;
  readonly method: string;
  /** Below the workspace, with the query. */
  readonly path: string;
  /** Status of the response; 0 if a fault cut the connection, `null` while there is no response. */
  status: number | null;
}

/** The requests to this process in order of arrival; only the last `limit` are kept. */
export class RequestLog {
  readonly #limit: number;
  readonly #requests: LoggedRequest[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  begin(request: { method: string; path: string }): LoggedRequest {
    const entry: LoggedRequest = { at: new Date().toISOString(), ...request, status: null };
    this.#requests.push(entry);
    if (this.#requests.length > this.#limit) this.#requests.splice(0, this.#requests.length - this.#limit);
    return entry;
  }

  all(): readonly LoggedRequest[] {
    return this.#requests;
  }
}
