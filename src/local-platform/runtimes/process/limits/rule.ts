import { availableParallelism, totalmem } from 'node:os';
import { shapes } from '../../../workspace/shapes';

/** What a unit may use. `undefined`: as much as the machine has. */
export interface Limits {
  /** CPU cores; fractions are possible. */
  readonly cpus: number | undefined;
  readonly memoryMiB: number | undefined;
}

/** What a spec asks for. */
export interface ResourceRequest {
  readonly shape: string | undefined;
  /** Cores; goes before the shape's. */
  readonly cpu?: number | undefined;
  /** MiB; goes before the shape's. */
  readonly memory?: number | undefined;
}

export interface Machine {
  readonly cores: number;
  readonly memoryMiB: number;
}

export const noLimits: Limits = { cpus: undefined, memoryMiB: undefined };

/** Left to the rest of the machine: a tenth of its memory, at least this. */
const LEAST_RESERVE_MIB = 512;

/**
 * The limits of what a spec asks for, on this machine. Pure.
 * - What the spec says itself (`cpu`, `memory`) goes before its shape; a shape that is not known limits nothing.
 * - A GPU shape's memory is that of the host and of its GPUs together: without a GPU the weights are in the host's.
 * - Nothing is limited to more than the machine has. CPUs beyond its cores: no limit. Memory: nine tenths of it at most.
 */
export function limitsFor(
  { shape: name, cpu, memory }: ResourceRequest,
  machine: Machine = { cores: availableParallelism(), memoryMiB: Math.floor(totalmem() / 2 ** 20) },
): Limits {
  const shape = shapes.find((known) => known.name === name?.toLowerCase());
  const ofGpus = (shape?.acceleratorMemory ?? 0) * (shape?.acceleratorNum ?? 0);
  const cpus = cpu ?? shape?.cpu;
  const memoryMiB = memory ?? (shape && shape.memory + ofGpus);
  const most = machine.memoryMiB - Math.max(LEAST_RESERVE_MIB, Math.ceil(machine.memoryMiB / 10));
  return {
    cpus: cpus === undefined || cpus <= 0 || cpus >= machine.cores ? undefined : cpus,
    memoryMiB: memoryMiB === undefined || memoryMiB <= 0 ? undefined : Math.min(memoryMiB, Math.max(most, 1)),
  };
}

/** In words: `1 CPU and 4096 MiB of memory`. `undefined` when nothing is limited. Pure. */
export function describeLimits({ cpus, memoryMiB }: Limits): string | undefined {
  const parts = [
    ...(cpus === undefined ? [] : [`${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`]),
    ...(memoryMiB === undefined ? [] : [`${memoryMiB} MiB of memory`]),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}
