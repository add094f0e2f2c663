/** Returns the message of an error; anything else that was thrown, as text. Pure. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
