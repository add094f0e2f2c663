/** Counts the requests of a run by what they ask for. */

/** Each request is of the first kind that it matches. */
const kinds = [
  ['create and delete endpoints', /^(POST \/deployments|DELETE \/deployments\/.*)$/],
  ['submit and delete jobs', /^(POST \/jobs|DELETE \/jobs\/.*)$/],
  ["the endpoints' own tokens", /^(POST|DELETE) \/(user)?secrets/],
  ['logs', /\/logs?$/],
  ['archives of results', /^GET \/storage\/.*\.evalsaga_results\.zip$/],
  ['files of results', /^(GET|HEAD) \/storage\/.*\/[0-9a-f]{16}\/\d+-[^/.]+\/.+$/],
  ['list the folders of tasks', /^GET \/storage\/.*\/[0-9a-f]{16}\/\d+-[^/.]+$/],
  ['delete the folders of tasks', /^DELETE \/storage\/.*\/[0-9a-f]{16}\/\d+-[^/.]+$/],
  ['why something waits', /^GET \/(deployments|jobs)\/[^/]+\/(readiness|events)$/],
  ['listings of endpoints', /^GET \/deployments$/],
  ['listings of jobs', /^GET \/jobs$/],
  ["the run's folder, and what is above it", /^[A-Z]+ \/storage\/./],
  ['workspace, groups, shapes, secrets, storage API', /^(GET|HEAD) /],
];

/** Returns how many requests are of each kind. */
export function byKind(requests) {
  const counts = Object.fromEntries(kinds.map(([kind]) => [kind, 0]));
  for (const { method, path } of requests) {
    const route = `${method} ${path.split('?')[0]}`;
    const [kind] = kinds.find(([, pattern]) => pattern.test(route)) ?? [route];
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
