import type { PlatformRef } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { loadAccess, type AccessSources } from './access-store';
import { createLeptonClient, type LeptonClientOptions } from './client';
import { createAllowance, createLookups, sharedForMs, type Lookups } from './coalesced';
import { createLimiter } from './limiter';
import { paceOf, type Pace } from './pace';
import { sharedFor } from '../support/shared-for';
import type { LeptonClient } from './types';

export interface Platform {
  readonly client: LeptonClient;
  readonly lookups: Lookups;
  /** How often it may be polled. */
  readonly pace: Pace;
  /** Whether a waiting task may ask now what no listing tells, such as the events of its endpoint: each is a request of its own. */
  readonly mayAsk: () => boolean;
  /** Whether a task may ask now how far its job is, which is less urgent than why something waits. */
  readonly mayMeasure: () => boolean;
  /** Whether a task may ask now whether its job has made its last request, until when its endpoint costs money. */
  readonly mayAskLastRequest: () => boolean;
}

/** Such questions per interval of the shared listings, of all tasks together. */
const questionsPerInterval = 4;
/** The same for questions about progress. */
const measurementsPerInterval = 2;
/** The same for questions about last requests, each of which may save the time of an endpoint. */
const lastRequestsPerInterval = 10;

export interface PlatformOptions extends LeptonClientOptions, AccessSources {
  /** Milliseconds for which an address or token that was read is taken to be current. Default 0: it is read each time. */
  readonly accessForMs?: number | undefined;
}

/**
 * Returns a function that gives the client of a platform, with one set of shared look-ups and one limit on requests per platform.
 * A new one is created when the platform's address or token changes. It rejects with `CredentialsError` if this machine has no access.
 */
export function createPlatforms(
  home: HomePaths,
  options: PlatformOptions = {},
): (ref: PlatformRef) => Promise<Platform> {
  const known = new Map<string, { readonly access: string; readonly platform: Platform }>();
  const accessTo = sharedFor(options.accessForMs ?? 0, (key) =>
    loadAccess(home, JSON.parse(key) as PlatformRef, options),
  );
  return async (ref) => {
    const key = JSON.stringify(ref);
    const access = await accessTo(key);
    const current = JSON.stringify(access);
    const existing = known.get(key);
    if (existing?.access === current) return existing.platform;
    const pace = paceOf(access.url);
    const client = createLeptonClient(access, { ...options, limiter: createLimiter({ pace }) });
    const perMs = sharedForMs[pace];
    const mayAsk = createAllowance({ most: questionsPerInterval, perMs });
    const mayMeasure = createAllowance({ most: measurementsPerInterval, perMs });
    const mayAskLastRequest = createAllowance({ most: lastRequestsPerInterval, perMs });
    const lookups = createLookups(client, { sharedForMs: perMs });
    const platform = { client, pace, lookups, mayAsk, mayMeasure, mayAskLastRequest };
    known.set(key, { access: current, platform });
    return platform;
  };
}
