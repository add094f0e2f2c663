/**
 * The request is wrong, and nothing was created: the command line, the config, an id, or a file that it names. Exit code 2.
 */
export class UsageFault extends Error {}
