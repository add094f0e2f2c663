import type { Setup } from './courses';

/** What is unusual about a case's surroundings from its beginning to its end, whatever happens at its point. Pure. */
export type World =
  | 'plain'
  /** The platform's listings show what was true seconds ago; a look at one thing shows the truth. */
  | 'listings lag'
  /** The reverse. */
  | 'gets lag'
  /** A second worker, on a machine that has neither the run's home nor credentials, takes from the same queue. */
  | 'second worker'
  /** The clock of the machine on which run, worker and command are. */
  | 'own clock +10 min'
  | 'own clock -10 min'
  | 'platform clock +10 min'
  | 'platform clock -10 min';

const all: readonly World[] = [
  'plain',
  'listings lag',
  'gets lag',
  'second worker',
  'own clock +10 min',
  'own clock -10 min',
  'platform clock +10 min',
  'platform clock -10 min',
];

/** In which worlds the cases of a setup take place. */
export const worldsOf = (setup: Setup): readonly World[] => (setup === 'library' ? all : ['plain']);

export const onlyPlain = (): readonly World[] => ['plain'];

/** How far the clocks are off, milliseconds. */
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
      return { own: 0, platform: 0 };
  }
}
