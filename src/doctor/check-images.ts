import { z } from 'zod';
import type { WorkspaceInfo } from '../lepton/types';
import { misfit, ok, warn, type Answer, type Finding } from './finding';
import type { Wanted } from './wanted';

const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
/** Registry (with a dot, a port, or localhost), path, tag, digest: as the OCI distribution specification writes them. */
const reference = new RegExp(
  `^(?:((?:[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+(?::\\d+)?|[A-Za-z0-9-]+:\\d+|localhost(?::\\d+)?))/)?(${part}(?:/${part})*)(?::([\\w][\\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);

export interface ImageReference {
  /** `undefined`: the default one. */
  readonly registry: string | undefined;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** `undefined`: not an image reference. Pure. */
export function readImage(text: string): ImageReference | undefined {
  const match = reference.exec(text);
  return match ? { registry: match[1], path: match[2] ?? '', tag: match[3], digest: match[4] } : undefined;
}

/** Registries that give nothing without a login, except below the public paths. */
const closed: Readonly<Record<string, RegExp>> = { 'nvcr.io': /^(nvidia|nim)\// };

/** Whether images can be named so, and whether what they need to be pulled is named too. Pure. */
export function checkImages({ images, pullSecrets }: Wanted, info: Answer<WorkspaceInfo>): Finding[] {
  const findings = images.map(({ name, by }) => {
    const image = readImage(name);
    if (image === undefined) {
      return misfit(
        'image',
        `"${name}" (${by}) is not the name of an image`,
        'write registry/path:tag, or …@sha256:digest',
      );
    }
    const open = closed[image.registry ?? ''];
    if (open && !open.test(image.path) && pullSecrets.length === 0) {
      return warn(
        'image',
        `${name} (${by}): ${image.registry} wants a login, and no pull secret is named`,
        'name one in image_pull_secrets',
      );
    }
    return ok('image', `${name} (${by})`);
  });
  return [...findings, ...checkPullSecrets(pullSecrets, info)];
}

/** The platform lists no pull secrets, it only counts them. */
function checkPullSecrets(wanted: Wanted['pullSecrets'], info: Answer<WorkspaceInfo>): Finding[] {
  if (wanted.length === 0) return [];
  const names = wanted.map(({ name }) => name).join(', ');
  const counts = z.object({ num_image_pull_secrets: z.number() });
  const workloads = counts.safeParse(info.kind === 'known' ? info.value['workloads'] : undefined);
  if (!workloads.success || workloads.data.num_image_pull_secrets > 0) {
    return [
      ok('pull secret', `${names} (the platform lists none by name: a wrong one shows when the image is pulled)`),
    ];
  }
  return [
    warn(
      'pull secret',
      `${names} ${wanted.length === 1 ? 'is' : 'are'} named, but the workspace counts no pull secret`,
      'create it in the workspace (Settings → Registries), or drop it from image_pull_secrets',
    ),
  ];
}
