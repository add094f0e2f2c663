/** What a server's answers tell of its clock, which may be minutes off this host's: times from it are judged by it. */
export class ServerClock {
  private offsetMs = 0;

  /** `date`: the header of an answer that came just now; whole seconds, so that small differences mean nothing. */
  note(date: string | null): void {
    const serverTime = date === null ? Number.NaN : Date.parse(date);
    if (!Number.isFinite(serverTime)) return;
    const offset = serverTime - Date.now();
    this.offsetMs = Math.abs(offset) < minimumOffsetMs ? 0 : offset;
  }

  /** Milliseconds since the epoch, by the server's clock; by this host's until the server answered. */
  now(): number {
    return Date.now() + this.offsetMs;
  }

  /** Milliseconds by which the server's clock is ahead of this host's; 0 within five seconds. */
  get aheadMs(): number {
    return this.offsetMs;
  }
}

/** An answer takes a while, and its date has no fractions. */
const minimumOffsetMs = 5_000;
