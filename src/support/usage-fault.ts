/**
 * What the user asked for can't be done as asked, and nothing was created: the command line, the config, an id, a file that
 * was named. Commands end with exit code 2.
 */
export class UsageFault extends Error {}
