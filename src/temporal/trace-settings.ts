import { traceSettings, TraceSettingsError, type TraceSettings } from '../tracing/settings';
import { InfrastructureError } from './infrastructure-error';
import type { Env } from './target';

/** Reads the settings of tracing; `undefined`: nothing is traced. Throws `InfrastructureError`. */
export function traceSettingsOf(env: Env, service: string): TraceSettings | undefined {
  try {
    return traceSettings(env, service);
  } catch (error) {
    if (error instanceof TraceSettingsError) throw new InfrastructureError(error.message, { cause: error });
    throw error;
  }
}
