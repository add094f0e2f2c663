/** Timeouts of a mocked activity, milliseconds: those of the SDK are a second, which an attempt may need on a busy machine. */
export const withTime = { startToCloseTimeoutMs: 60_000, scheduleToCloseTimeoutMs: 60_000 };
