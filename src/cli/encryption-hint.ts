import type { TemporalReach } from '../stack/stack';
import type { ServiceStatus } from '../stack/status';

/** Says how the Web UI shows plain text; `undefined` if nothing is encrypted. Pure. */
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
  return `Payloads are encrypted, also in the Web UI. To read them there: ${program} codec-server, and enter the address that it prints in the UI (glasses at the top right, "Remote codec endpoint").`;
}
