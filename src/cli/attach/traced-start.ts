import { traceOf } from '../../contract/trace-context';
import { traceSettingsOf } from '../../temporal/trace-settings';
import type { Env } from '../../temporal/target';

export interface TracedStart<T> {
  readonly value: T;
  /** Resolves once the span is exported, or can't be within some seconds. */
  readonly exported: Promise<void>;
}

/**
 * Does the work of a start as the first span of the run's trace, if the environment asks for traces (`OTEL_EXPORTER_OTLP_ENDPOINT`);
 * below the caller's own trace if `TRACEPARENT` names one. Throws `InfrastructureError` for settings that can't be used.
 */
export async function tracedStart<T>(
  { env, invocation }: { readonly env: Env; readonly invocation: string },
  work: () => Promise<T>,
): Promise<TracedStart<T>> {
  const settings = traceSettingsOf(env, 'evalsaga');
  if (!settings) return { value: await work(), exported: Promise.resolve() };
  const { Tracer } = await import('../../tracing/tracer.js');
  const tracer = new Tracer(settings);
  const parent = tracer.root(traceOf(env['TRACEPARENT']));
  if (!parent) return { value: await work(), exported: tracer.close() };
  try {
    const start = { name: 'evalsaga start', parent, attributes: { 'evalsaga.run': invocation } };
    return { value: await tracer.span(start, work), exported: tracer.close() };
  } catch (error) {
    await tracer.close();
    throw error;
  }
}
