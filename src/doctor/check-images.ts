import { z } from 'zod';
import type { WorkspaceInfo } from '../lepton/types';
import { misfit, ok, warn, type Answer, type Finding } from './finding';
import type { Needs } from './needs';

const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
/** Registry (with a dot, a port, or localhost), path, tag, digest: the syntax of the OCI distribution specification. */
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

/** Parses an image reference; `undefined`: it isn't one. Pure. */
export function readImage(text: string): ImageReference | undefined {
  const match = reference.exec(text);
  return match ? { registry: match[1], path: match[2] ?? '', tag: match[3], digest: match[4] } : undefined;
}

/** Registries that require a login, with their public paths. */
const closed: Readonly<Record<string, RegExp>> = { 'nvcr.io': /^(nvidia|nim)\// };

/** Checks whether image names are valid, and whether pull secrets are named where they are needed. Pure. */
export function checkImages({ images, pullSecrets }: Needs, info: Answer<WorkspaceInfo>): Finding[] {
  const findings = images.map(({ name, by }) => {
    const image = readImage(name);
    if (image === undefined) {
      return misfit('image', `"${name}" (${by}) is not an image name`, 'write registry/path:tag, or …@sha256:digest');
    }
    const open = closed[image.registry ?? ''];
    if (open && !open.test(image.path) && pullSecrets.length === 0) {
      return warn(
        'image',
        `${name} (${by}): ${image.registry} requires a login, and no pull secret is named`,
        'name one in image_pull_secrets',
      );
    }
    return ok('image', `${name} (${by})`);
  });
  return [...findings, ...checkPullSecrets(pullSecrets, info)];
}

/** The platform doesn't list pull secrets, it only counts them. */
function checkPullSecrets(wanted: Needs['pullSecrets'], info: Answer<WorkspaceInfo>): Finding[] {
  if (wanted.length === 0) return [];
  const names = wanted.map(({ name }) => name).join(', ');
  const counts = z.object({ num_image_pull_secrets: z.number() });
  const workloads = counts.safeParse(info.kind === 'known' ? info.value['workloads'] : undefined);
  if (!workloads.success || workloads.data.num_image_pull_secrets > 0) {
    return [
      ok(
        'pull secret',
        `${names} (the platform doesn't list their names: a wrong one fails only when the image is pulled)`,
      ),
    ];
  }
  return [
    warn(
      'pull secret',
      `${names} ${wanted.length === 1 ? 'is' : 'are'} named, but the workspace has no pull secret`,
      'create it in the workspace (Settings → Registries), or remove it from image_pull_secrets',
    ),
  ];
}
