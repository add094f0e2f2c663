import { kinshipOf, namespaceIn } from '../temporal/origin';

/** Decides whether a run is certainly over, before a user's command removes its leftovers. Pure. */

/** What this command's Temporal server knows about the run. */
export type Asked =
  | { readonly kind: 'not asked'; readonly reason: string }
  | {
      /** `unknown`: its history was deleted, or it never ran there. */
      readonly kind: 'closed' | 'unknown';
      /** Origin of the server that was asked. */
      readonly origin: string;
    };

/** Returns why the run may still be open; `undefined` if it is closed. `owners`: the origins in its resources' marks. */
export function whyDoubtful(asked: Asked, owners: readonly string[]): string | undefined {
  switch (asked.kind) {
    case 'closed':
      return undefined;
    case 'not asked':
      return `Temporal could not be asked (${asked.reason})`;
    case 'unknown': {
      // All marks name this server's database, so it owned the run and has deleted it after the retention time.
      const kinships = owners.map((owner) => kinshipOf(owner, asked.origin));
      if (kinships.length > 0 && kinships.every((kinship) => kinship === 'own')) return undefined;
      const database = kinships.includes('replaced') ? ', whose database is not the one that the run began in,' : '';
      return `the Temporal server that was asked (${asked.origin})${database} does not know it`;
    }
  }
}

/** Returns a sentence that says how to ask the right server. */
export function ownersInWords(owners: readonly string[]): string {
  const [owner] = owners;
  if (owner === undefined) return 'What is left does not say which Temporal server it belongs to.';
  const namespace = namespaceIn(owner);
  const how =
    namespace !== undefined
      ? `set TEMPORAL_ADDRESS to that cluster and TEMPORAL_NAMESPACE to ${namespace}`
      : 'run this command on the machine, and with the EVALSAGA_HOME, that the run was started with';
  return `It belongs to ${owner}: ${how}.`;
}
