import { messageOf } from '../support/error-message';
import { freePort } from '../support/ports';
import { defaultPorts } from '../stack/dev-server';
import { fail, ok, type Finding } from './finding';

/**
 * Checks the ports that the embedded Temporal server would use. Busy ones are no obstacle but worth reporting, because saved
 * links stop working. It fails only if no port can be had at all.
 */
export async function checkPorts(find: typeof freePort = freePort): Promise<Finding[]> {
  const about = 'ports';
  const preferred = Object.values(defaultPorts);
  try {
    const found = await Promise.all(preferred.map((port) => find([port])));
    const busy = preferred.filter((port, index) => found[index] !== port);
    if (busy.length === 0) return [ok(about, `${preferred.join(', ')} are free`)];
    const are = busy.length === 1 ? 'is' : 'are';
    return [ok(about, `${busy.join(', ')} ${are} in use: other free ones will be used`)];
  } catch (error) {
    const reason = messageOf(error);
    return [fail(about, reason, 'stop what uses the ports, and check that 127.0.0.1 exists (ip addr show lo)')];
  }
}
