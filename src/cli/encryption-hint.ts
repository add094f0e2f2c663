import type { TemporalReach } from '../stack/stack';
import type { ServiceStatus } from '../stack/status';

/** How to have the Web UI show plain text; `undefined` when nothing is encrypted. Pure. */
export function encryptionHint(at: {
  readonly temporal: Pick<TemporalReach, 'isEncrypted'>;
  readonly services: readonly ServiceStatus[];
  readonly program: string;
}): string | undefined {
  const { temporal, services, program } = at;
  if (!temporal.isEncrypted) return undefined;
  const codec = services.find(({ name, state }) => name === 'codec' && state === 'running');
  if (codec) {
    return `Payloads are encrypted. The Web UI decrypts in your browser, through http://127.0.0.1:${codec.ports['http']} on this machine.`;
  }
  return `Payloads are encrypted, also in the Web UI. To read them there: ${program} codec-server, and give the address it prints to the UI (glasses at the top right, "Remote codec endpoint").`;
}
