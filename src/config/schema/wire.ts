/** Parts of the platform's own specs that a config may set; limits as its SDK has them (leptonai 0.47). */
import { choice, decimal, flag, integer, listOf, orNull, section, text } from './fields';

export const priorityClasses = [
  'low-1000',
  'low-2000',
  'low-3000',
  'mid-4000',
  'mid-5000',
  'mid-6000',
  'high-7000',
  'high-8000',
  'high-9000',
] as const;

export const health = section({
  readiness: section({ require_approval: flag().optional() }).optional(),
  liveness: section({
    /** Seconds before the first check. */
    initial_delay_seconds: integer({ min: 0, unit: 'seconds' }).optional(),
    tcp: section({ port: integer({ min: 1, max: 65_535 }) }).optional(),
  }).optional(),
});

export const queueConfig = section({
  /** Place in the node group's queue. */
  priority_class: choice(...priorityClasses).optional(),
  can_be_preempted: flag().optional(),
  can_preempt: flag().optional(),
});

export const log = section({ enable_collection: flag().optional(), save_termination_logs: flag().optional() });

export const userSecurityContext = section({ no_specific_user: flag().optional(), privileged: flag().optional() });

/** By name: what they hold stays in the workspace. What is no name may be that, and is not repeated. */
export const imagePullSecrets = listOf(
  text().refine(
    (name) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name),
    'expected the name of an image pull secret of the workspace',
  ),
);

export const autoScaler = section({
  scale_down: section({
    /** Seconds without a request after which the endpoint scales down. */
    no_traffic_timeout: integer({ min: 0, unit: 'seconds' }).optional(),
    not_ready_timeout: integer({ min: 0, unit: 'seconds' }).optional(),
    /** Not a field of the platform: only `false`, what it does anyway, is accepted. */
    scale_from_zero: flag()
      .refine((value) => !value, 'the platform has no such setting: only false is possible')
      .optional(),
  }).optional(),
  /** Percent. */
  target_gpu_utilization_percentage: integer({ min: 0, max: 100 }).optional(),
  target_throughput: section({
    qpm: decimal({ min: 0 }).optional(),
    paths: listOf(text()).optional(),
    methods: listOf(text()).optional(),
  }).optional(),
});

/** What every endpoint's spec begins with. */
export const platformDefaults = section({
  health: health.optional(),
  log: log.optional(),
  metrics: section({ disable_pulling_from_replica: flag().optional() }).optional(),
  routing_policy: section({ enable_header_based_replica_routing: flag().optional() }).optional(),
  queue_config: queueConfig.optional(),
  user_security_context: userSecurityContext.optional(),
  image_pull_secrets: imagePullSecrets.optional(),
  scheduling_policy: section({ replica_spread: choice('Required', 'Preferred').optional() }).optional(),
  reservation_config: section({
    reservation_id: orNull(text()).optional(),
    allow_burst_to_other_reservations: flag().optional(),
  }).optional(),
  load_balance_config: section({
    least_request: section({ choice_count: integer({ min: 1 }).optional() }).optional(),
    maglev: section({}).optional(),
  }).optional(),
  ingress_timeout_seconds: integer({ min: 300, max: 3600, unit: 'seconds' }).optional(),
  /** Not a field of the platform: only `false` is accepted. */
  enable_rdma: flag()
    .refine((value) => !value, "the platform's API has no such setting: only false is possible")
    .optional(),
});
