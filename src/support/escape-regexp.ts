/** Returns a pattern for `RegExp` that matches exactly `text`. Pure. */
export const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
