/** Parts of the platform's own specs that a config may set; limits as its SDK has them (leptonai 0.47). */
import { choice, decimal, duration, flag, integer, listOf, orNull, section, text } from './fields';

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
  readiness: section({
    require_approval: flag().optional().describe('Wait for somebody to approve a replica before it gets traffic.'),
  })
    .optional()
    .describe('When a replica counts as ready.'),
  liveness: section({
    initial_delay_seconds: integer({ min: 0, unit: 'seconds' }).optional().describe('Seconds before the first check.'),
    tcp: section({ port: integer({ min: 1, max: 65_535 }).describe('The port to connect to.') })
      .optional()
      .describe('Check by connecting to a port.'),
  })
    .optional()
    .describe('How the platform checks that a replica is alive.'),
});

export const queueConfig = section({
  priority_class: choice(...priorityClasses)
    .optional()
    .describe("Place in the node group's queue."),
  can_be_preempted: flag().optional().describe('Whether work of a higher priority may displace this.'),
  can_preempt: flag().optional().describe('Whether this may displace work of a lower priority.'),
});

export const log = section({
  enable_collection: flag().optional().describe('Keep the container logs in the platform.'),
  save_termination_logs: flag().optional().describe('Keep the logs of containers that ended.'),
});

export const userSecurityContext = section({
  no_specific_user: flag().optional().describe("Run as the image's own user."),
  privileged: flag().optional().describe('Run the container privileged.'),
});

/** By name: what they hold stays in the workspace. What is no name may be that, and is not repeated. */
export const imagePullSecrets = listOf(
  text().refine(
    (name) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name),
    'expected the name of an image pull secret of the workspace',
  ),
);

export const autoScaler = section({
  scale_down: section({
    no_traffic_timeout: duration({ zero: true })
      .optional()
      .describe(
        'Time without a request after which the endpoint scales to zero, so that the bill ends even when nobody cleans up; 3600 when nothing is given, 0: never. While a run needs its endpoints, its worker sends requests often enough to keep them up.',
      ),
    not_ready_timeout: duration({ zero: true })
      .optional()
      .describe('Time after which an endpoint that does not become ready scales down.'),
    scale_from_zero: flag()
      .refine((value) => !value, 'the platform has no such setting: only false is possible')
      .optional()
      .describe('Only `false` is accepted: the platform has no such setting.'),
  })
    .optional()
    .describe('When replicas are taken away.'),
  target_gpu_utilization_percentage: integer({ min: 0, max: 100 })
    .optional()
    .describe('GPU utilization in percent that the number of replicas is adjusted to.'),
  target_throughput: section({
    qpm: decimal({ min: 0 }).optional().describe('Requests per minute.'),
    paths: listOf(text()).optional().describe('Request paths that count; none: all.'),
    methods: listOf(text()).optional().describe('Request methods that count; none: all.'),
  })
    .optional()
    .describe('Request rate that the number of replicas is adjusted to.'),
});

/** What every endpoint's spec begins with. */
export const platformDefaults = section({
  health: health.optional().describe('Health checks of the replicas.'),
  log: log.optional().describe('What the platform keeps of the logs.'),
  metrics: section({
    disable_pulling_from_replica: flag().optional().describe('Do not collect metrics from the replicas.'),
  })
    .optional()
    .describe('What the platform measures.'),
  routing_policy: section({
    enable_header_based_replica_routing: flag().optional().describe('Let a request header choose the replica.'),
  })
    .optional()
    .describe('How requests reach replicas.'),
  queue_config: queueConfig.optional().describe('Place in the queue for GPUs.'),
  user_security_context: userSecurityContext.optional().describe('The user that the container runs as.'),
  image_pull_secrets: imagePullSecrets
    .optional()
    .describe("Names of the workspace's image pull secrets, for example for `nvcr.io`."),
  scheduling_policy: section({
    replica_spread: choice('Required', 'Preferred')
      .optional()
      .describe('Whether replicas must, or should, run on different nodes.'),
  })
    .optional()
    .describe('How replicas are placed.'),
  reservation_config: section({
    reservation_id: orNull(text()).optional().describe('The reservation.'),
    allow_burst_to_other_reservations: flag().optional().describe('Use other reservations when this one is full.'),
  })
    .optional()
    .describe('Reserved capacity to run on.'),
  load_balance_config: section({
    least_request: section({ choice_count: integer({ min: 1 }).optional().describe('How many replicas are compared.') })
      .optional()
      .describe('Prefer the replica with the fewest open requests.'),
    maglev: section({}).optional().describe('Consistent hashing.'),
  })
    .optional()
    .describe('How requests are spread over replicas.'),
  ingress_timeout_seconds: integer({ min: 300, max: 3600, unit: 'seconds' })
    .optional()
    .describe('Seconds after which the ingress gives up on a request.'),
  enable_rdma: flag()
    .refine((value) => !value, "the platform's API has no such setting: only false is possible")
    .optional()
    .describe("Only `false` is accepted: the platform's API has no such setting."),
});
