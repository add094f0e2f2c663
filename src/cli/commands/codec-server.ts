import { keyFileVariable } from '../../temporal/encryption/key-file';
import { encryptionOf } from '../../temporal/encryption/data-converter';
import { startCodecServer } from '../../stack/codec-server';
import { webUiOrigins } from '../../temporal/web-ui';
import { temporalTarget } from '../../temporal/target';
import { findTemporal } from '../../stack/stack';
import { listOption, textOption, type CommandBody, type CommandContext } from '../command';
import { UsageError } from '../usage-error';
import { done } from '../exit-code';
import { untilSignalled } from '../attach/interrupts';
import { portOf } from '../port-option';

/** `codec-server`: decrypts for Temporal's Web UI until SIGINT or SIGTERM. */
export const codecServer: CommandBody = async (input, context) => {
  const { env, output } = context;
  const { dataConverter, isOn } = encryptionOf(env);
  const [codec] = dataConverter.payloadCodecs ?? [];
  if (!isOn || codec === undefined) {
    throw new UsageError(`A codec server needs a key: set ${keyFileVariable}, or create one with: evalsaga key FILE`);
  }
  const given = listOption(input, 'origin').map(originIn);
  const origins = given.length > 0 ? given : await knownOrigins(context);
  // Before anything is said: a caller may end it as soon as it has read the address.
  const signalled = untilSignalled();
  const server = await startCodecServer({ codec, origins, port: portOf(textOption(input, 'port') ?? '0') });
  output.answer(`http://127.0.0.1:${server.port}`);
  output.note(
    `Decrypts for pages of ${origins.join(', ')}. In the Web UI, choose the glasses or "Data encoder" at the top right, and enter this address.`,
  );
  await signalled;
  await server.close();
  return done;
};

function originIn(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url.origin;
  throw new UsageError(
    `--origin takes the address of Temporal's Web UI, such as https://ui.example:8080, not "${text}".`,
  );
}

async function knownOrigins({ home, env }: CommandContext): Promise<readonly string[]> {
  const temporal = await findTemporal(home, env);
  const origins = temporal ? webUiOrigins({ ...temporal, base: temporal.uiBase }) : [];
  if (origins.length > 0) return origins;
  throw new UsageError(
    temporalTarget(env).kind === 'cluster'
      ? "The address of this cluster's Web UI is not known: give it with --origin, or set TEMPORAL_UI_URL."
      : 'No Temporal server of this home is running: start it with evalsaga up, or give the address of the Web UI with --origin.',
  );
}
