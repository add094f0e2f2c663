/** A request as `/__sim/requests` shows it. */
export interface LoggedRequest {
  /** ISO time of arrival. */
  readonly at: string;
  readonly method: string;
  /** Below the workspace, with the query. */
  readonly path: string;
  /** Of the answer; 0 when the connection was cut on purpose, `null` while there is none. */
  status: number | null;
}

/** The requests of this process in the order of arrival; beyond `limit` the oldest go. */
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
