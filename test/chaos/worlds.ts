import type { Setup } from './courses';

/** Conditions that last through the whole case, independent of its fault and event. Pure. */
export type World =
  | 'plain'
  /** The platform's listings show the state of some seconds ago; reads of single resources show the present. */
  | 'listings lag'
  /** The opposite. */
  | 'gets lag'
  /** A second worker polls the same queue, on a machine without the run's home and credentials. */
  | 'second worker'
  /** The cases of this world share a limited number of endpoints. */
  | 'endpoint quota'
  /** The clock of the machine with the worker and the command is wrong. */
  | 'own clock +10 min'
  | 'own clock -10 min'
  | 'platform clock +10 min'
  | 'platform clock -10 min';

const all: readonly World[] = [
  'plain',
  'listings lag',
  'gets lag',
  'second worker',
  'endpoint quota',
  'own clock +10 min',
  'own clock -10 min',
  'platform clock +10 min',
  'platform clock -10 min',
];

/** Returns the worlds for the cases of a setup. */
export const worldsOf = (setup: Setup): readonly World[] => (setup === 'library' ? all : ['plain']);

export const onlyPlain = (): readonly World[] => ['plain'];

/** How far the clocks are off, in milliseconds. */
export interface Clocks {
  readonly own: number;
  readonly platform: number;
}

const tenMinutesMs = 600_000;

export function clocksOf(world: World): Clocks {
  switch (world) {
    case 'own clock +10 min':
      return { own: tenMinutesMs, platform: 0 };
    case 'own clock -10 min':
      return { own: -tenMinutesMs, platform: 0 };
    case 'platform clock +10 min':
      return { own: 0, platform: tenMinutesMs };
    case 'platform clock -10 min':
      return { own: 0, platform: -tenMinutesMs };
    case 'plain':
    case 'listings lag':
    case 'gets lag':
    case 'second worker':
    case 'endpoint quota':
      return { own: 0, platform: 0 };
  }
}
