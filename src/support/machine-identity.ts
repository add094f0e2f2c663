import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Returns a text that stays the same on one machine, across reboots; empty if the system has none. Containers of one image can
 * share a machine id, so inside a container the host name is part of it.
 */
export function machineIdentity(): string {
  const id = process.platform === 'darwin' ? macId() : linuxId();
  return id === '' || isContainer() ? `${id} ${hostname()}` : id;
}

/** Returns a digest of `machineIdentity`, to tell machines apart without naming them. */
export const machineDigest = (): string =>
  createHash('sha256').update(`evalsaga\n${machineIdentity()}`).digest('hex').slice(0, 16);

/** Whether this process runs in a container. */
export const isContainer = (): boolean =>
  process.env['KUBERNETES_SERVICE_HOST'] !== undefined ||
  ['/.dockerenv', '/run/.containerenv'].some((file) => existsSync(file));

/** Returns a text that no other boot, of this or any other machine, has; empty if the system has none. */
export function bootIdentity(): string {
  try {
    return process.platform === 'darwin'
      ? execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
      : readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function linuxId(): string {
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    try {
      const id = readFileSync(file, 'utf8').trim();
      if (id !== '') return id;
    } catch {
      // Not every system has it: the next file, or the host name.
    }
  }
  return '';
}

function macId(): string {
  try {
    const listed = execFileSync('/usr/sbin/ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice'], { encoding: 'utf8' });
    return /"IOPlatformUUID" = "([^"]+)"/.exec(listed)?.[1] ?? '';
  } catch {
    return '';
  }
}
