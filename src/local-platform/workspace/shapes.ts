/** A resource shape of the workspace. Memory is in MiB. */
export interface Shape {
  readonly name: string;
  readonly description: string;
  readonly cpu: number;
  readonly memory: number;
  readonly acceleratorType?: string;
  readonly acceleratorNum?: number;
  readonly acceleratorMemory?: number;
}

const cpu = (name: string, cores: number, memory: number): Shape => ({
  name: `cpu.${name}`,
  description: `${cores} vCPU, ${memory / 1024} GiB memory`,
  cpu: cores,
  memory,
});

/**
 * GPUs by their names in shapes: product as the service spells it, memory in MiB, and per GPU: CPU cores and RAM in
 * GiB.
 */
const gpus = {
  t4: { product: 'Tesla-T4', memory: 15_360, cpu: 4, ram: 16 },
  a10: { product: 'NVIDIA-A10', memory: 23_028, cpu: 6, ram: 32 },
  l4: { product: 'NVIDIA-L4', memory: 23_034, cpu: 8, ram: 32 },
  l40s: { product: 'NVIDIA-L40S', memory: 46_068, cpu: 16, ram: 96 },
  'a100-40gb': { product: 'NVIDIA-A100-SXM4-40GB', memory: 40_960, cpu: 12, ram: 96 },
  'a100-80gb': { product: 'NVIDIA-A100-SXM4-80GB', memory: 81_920, cpu: 12, ram: 120 },
  'h100-sxm': { product: 'NVIDIA-H100-80GB-HBM3', memory: 81_559, cpu: 20, ram: 200 },
  h200: { product: 'NVIDIA-H200', memory: 143_771, cpu: 22, ram: 220 },
  b200: { product: 'NVIDIA-B200', memory: 183_359, cpu: 24, ram: 240 },
} as const;

function gpuShapes(model: keyof typeof gpus): Shape[] {
  const { product, memory, cpu: cores, ram } = gpus[model];
  const shape = (name: string, count: number): Shape => ({
    name,
    description: `${count} × ${product}, ${cores * count} vCPU, ${ram * count} GiB memory`,
    cpu: cores * count,
    memory: ram * count * 1024,
    acceleratorType: product,
    acceleratorNum: count,
    acceleratorMemory: memory,
  });
  const counted = [1, 2, 4, 8].map((count) => shape(`gpu.${count}x${model}`, count));
  // Both spellings of one GPU are in use: gpu.a10 and gpu.1xa10.
  return [shape(`gpu.${model}`, 1), ...counted];
}

/**
 * The shapes that the local platform knows, with their sizes on the service. Nothing is reserved here, and unknown
 * shapes are accepted too.
 */
export const shapes: readonly Shape[] = [
  cpu('small', 1, 4096),
  cpu('medium', 2, 8192),
  cpu('large', 4, 16_384),
  cpu('xlarge', 8, 32_768),
  cpu('2xlarge', 16, 65_536),
  ...(Object.keys(gpus) as (keyof typeof gpus)[]).flatMap(gpuShapes),
];
