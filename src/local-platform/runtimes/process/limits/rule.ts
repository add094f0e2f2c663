import { availableParallelism, totalmem } from 'node:os';
import { shapes } from '../../../workspace/shapes';

/** What a unit may use; `undefined` means not limited. */
export interface Limits {
  /** CPU cores, possibly a fraction. */
  readonly cpus: number | undefined;
  readonly memoryMiB: number | undefined;
}

/** What a spec asks for. */
export interface ResourceRequest {
  readonly shape: string | undefined;
  /** In cores; takes precedence over the shape. */
  readonly cpu?: number | undefined;
  /** In MiB; takes precedence over the shape. */
  readonly memory?: number | undefined;
}

export interface Machine {
  readonly cores: number;
  readonly memoryMiB: number;
}

export const noLimits: Limits = { cpus: undefined, memoryMiB: undefined };

/** A tenth of the machine's memory is reserved for other programs, but at least this much. */
const MIN_RESERVE_MIB = 512;

/**
 * Returns the limits on this machine for what a spec asks for. Pure.
 * - The spec's own `cpu` and `memory` take precedence over its shape; an unknown shape limits nothing.
 * - For a GPU shape, host and GPU memory count together: without a GPU, the weights are in host memory.
 * - CPUs are not limited if the spec asks for all cores or more. Memory is limited to at most nine tenths of the machine's.
 */
export function limitsFor(
  { shape: name, cpu, memory }: ResourceRequest,
  machine: Machine = { cores: availableParallelism(), memoryMiB: Math.floor(totalmem() / 2 ** 20) },
): Limits {
  const shape = shapes.find((known) => known.name === name?.toLowerCase());
  const gpuMemory = (shape?.acceleratorMemory ?? 0) * (shape?.acceleratorNum ?? 0);
  const cpus = cpu ?? shape?.cpu;
  const memoryMiB = memory ?? (shape && shape.memory + gpuMemory);
  const maxMemory = machine.memoryMiB - Math.max(MIN_RESERVE_MIB, Math.ceil(machine.memoryMiB / 10));
  return {
    cpus: cpus === undefined || cpus <= 0 || cpus >= machine.cores ? undefined : cpus,
    memoryMiB: memoryMiB === undefined || memoryMiB <= 0 ? undefined : Math.min(memoryMiB, Math.max(maxMemory, 1)),
  };
}

/** Describes limits, as in `1 CPU and 4096 MiB of memory`; `undefined` if nothing is limited. Pure. */
export function describeLimits({ cpus, memoryMiB }: Limits): string | undefined {
  const parts = [
    ...(cpus === undefined ? [] : [`${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`]),
    ...(memoryMiB === undefined ? [] : [`${memoryMiB} MiB of memory`]),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}
