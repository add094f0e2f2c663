/**
 * Placeholders for the secret parts of URLs in plans: `https://***EVALSAGA_URL_SECRET_1***@host/v1`. Each names the variable that
 * holds the value. Pure.
 */

/** Names the variable that holds a secret part of a URL. Its value is in the run's private file. */
export const urlSecretVariable = (number: number): string => `EVALSAGA_URL_SECRET_${number}`;

export const isUrlSecretVariable = (name: string): boolean => /^EVALSAGA_URL_SECRET_\d+$/.test(name);

export const placeholderOf = (variable: string): string => `***${variable}***`;

const placeholder = /\*{3}(EVALSAGA_URL_SECRET_\d+)\*{3}/g;

/** Splits a text at its placeholders; every second piece is one. */
export const splitAtPlaceholders = (text: string): string[] => text.split(/(\*{3}EVALSAGA_URL_SECRET_\d+\*{3})/);

/** Returns the variables that a text has placeholders for, each once. */
export const variablesIn = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(placeholder)].map(([, name = '']) => name)),
];

/** Replaces placeholders with their values: for requests, never for people. */
export const revealed = (text: string, resolve: (name: string) => string): string =>
  text.replaceAll(placeholder, (_all, name: string) => resolve(name));

/** Replaces placeholders with `***`, for people. */
export const masked = (text: string): string => text.replaceAll(placeholder, '***');
