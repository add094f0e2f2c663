/**
 * Default of `execution.skip_results`: caches, as NVIDIA's evaluator and the language-model harness name them. The next run
 * makes them again, and they are often larger than everything else. A name ending in `/` is a folder's, any other a file's;
 * `*` stands for any characters.
 */
export const defaultSkips: readonly string[] = ['cache/', 'response_stats_cache/', 'lm_cache_rank*.db'];
