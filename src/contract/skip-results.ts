/**
 * Default of `execution.skip_results`: caches by the names that NVIDIA's evaluator and the language-model harness give them,
 * made again by the next run and often larger than all else. A name that ends in `/` is a folder's, any other a file's; `*`
 * stands for any characters.
 */
export const defaultSkips: readonly string[] = ['cache/', 'response_stats_cache/', 'lm_cache_rank*.db'];
