/**
 * V8's option for the part of a heap where objects begin, MiB; V8's own choice is 16, of which there are three in each thread. Takes effect
 * for threads that start after it was set, and for a process that was started with it.
 */
export const youngGenerationFlag = '--max-semi-space-size=8';
