/** When a log grew: so many bytes of it were there at that time. Ascending in both. */
export interface LogMark {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Bytes of the log from its beginning. */
  readonly size: number;
}
