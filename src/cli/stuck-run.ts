import type { Client } from '@temporalio/client';
import { heldUp, stallsOf } from '../client';
import { partsOf, type RunSnapshot } from '../contract/state';
import { heldUpText, stallText } from './render/stalls';

interface OpenRun {
  readonly invocation: string;
  /** As last seen; `undefined`: not seen yet. */
  readonly snapshot: RunSnapshot | undefined;
}

/**
 * Says why an open run does not go on although its task queue is served: workers can't continue its workflows, or can't begin it.
 * `undefined`: nothing is known of that. A Temporal that goes away just now counts as nothing known.
 */
export async function whyStuck(
  { invocation, snapshot }: OpenRun,
  { client, program }: { readonly client: Client; readonly program: string },
): Promise<string | undefined> {
  const open = snapshot === undefined ? [] : partsOf(snapshot).filter(({ phase }) => phase !== 'done');
  const indices = open.map(({ index }) => index);
  const stalls = await stallsOf(client, invocation, indices).catch(() => []);
  const text = stallText(stalls, { invocation, program });
  if (text !== undefined || snapshot?.phase !== 'starting') return text;
  const held = await heldUp(client, invocation).catch(() => undefined);
  return held && heldUpText(held, { invocation, program });
}
