import { AsyncLocalStorage } from 'node:async_hooks';
import type { TraceContext } from '../contract/trace-context';

/** The span that the running code belongs to. A file of its own: who only asks for it loads nothing else. */
const storage = new AsyncLocalStorage<TraceContext>();

export const currentTrace = (): TraceContext | undefined => storage.getStore();

export const inTrace = <T>(trace: TraceContext, work: () => T): T => storage.run(trace, work);
