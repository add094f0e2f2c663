import { messageOf } from '../support/error-message';
import { freePort } from '../support/ports';
import { defaultPorts } from '../stack/dev-server';
import { fail, ok, type Finding } from './finding';

/**
 * The ports that the embedded Temporal server would take when it is started. Busy ones are no obstacle, but worth knowing: links that people
 * saved lead elsewhere. None to be had at all is one.
 */
export async function checkPorts(find: typeof freePort = freePort): Promise<Finding[]> {
  const about = 'ports';
  const wished = Object.values(defaultPorts);
  try {
    const found = await Promise.all(wished.map((port) => find([port])));
    const busy = wished.filter((port, index) => found[index] !== port);
    if (busy.length === 0) return [ok(about, `${wished.join(', ')} are free`)];
    const are = busy.length === 1 ? 'is' : 'are';
    return [ok(about, `${busy.join(', ')} ${are} in use: other free ones will be taken`)];
  } catch (error) {
    const reason = messageOf(error);
    return [fail(about, reason, 'end what holds the ports, and see that 127.0.0.1 is there (ip addr show lo)')];
  }
}
