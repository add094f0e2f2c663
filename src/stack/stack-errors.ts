import { UsageFault } from '../support/usage-fault';

/** The background worker serves another Temporal server, where open runs still need it. */
export class WorkerInUse extends UsageFault {
  override readonly name = 'WorkerInUse';
}
