/**
 * Parts of the platform's own specs that a config may set. Limits and meanings are those of the platform's client, leptonai 0.47
 * (`api/v2/types` and the help of `lep endpoint create`); a text says so where that client documents nothing.
 */
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

const undocumented = "(Meaning taken from the name: the platform's client does not document it.)";

export const health = section({
  readiness: section({
    require_approval: flag()
      .optional()
      .describe(
        'Wait for approval before a replica counts as ready; its reason is `RequireReadinessApproval` meanwhile.',
      ),
  })
    .optional()
    .describe('When a replica counts as ready.'),
  liveness: section({
    initial_delay_seconds: integer({ min: 0, unit: 'seconds' })
      .optional()
      .describe(
        'Seconds that a container has to initialize before it must serve. Raise it for a server that takes long to start.',
      ),
    tcp: section({ port: integer({ min: 1, max: 65_535 }).describe('The port to connect to.') })
      .optional()
      .describe('Check liveness with a TCP connection.'),
  })
    .optional()
    .describe('How the platform checks that a replica is alive.'),
});

export const queueConfig = section({
  priority_class: choice(...priorityClasses)
    .optional()
    .describe("Priority in the queue of a dedicated node group; the platform's client uses `mid-4000` by default."),
  can_be_preempted: flag().optional().describe('Allow workloads of a higher priority to preempt this one.'),
  can_preempt: flag().optional().describe('Allow this workload to preempt workloads of a lower priority.'),
});

export const log = section({
  enable_collection: flag()
    .optional()
    .describe("Collect the container's log; if absent, the workspace's setting applies."),
  save_termination_logs: flag().optional().describe(`Save the log of a container that terminated. ${undocumented}`),
});

export const userSecurityContext = section({
  no_specific_user: flag().optional().describe(`Do not force a particular user on the container. ${undocumented}`),
  privileged: flag().optional().describe('Run the container in privileged mode.'),
});

export const metrics = section({
  disable_pulling_from_replica: flag().optional().describe(`Do not pull metrics from the replicas. ${undocumented}`),
});

export const reservationConfig = section({
  reservation_id: orNull(text()).optional().describe('Id of the reservation.'),
  allow_burst_to_other_reservations: flag()
    .optional()
    .describe('Also use free resources of other reservations. A workload of such a reservation may evict this one.'),
});

/** Object storage of the workspace in a container; what it holds is not the run's. */
export const storageAttachments = listOf(
  section({
    data_source_name: text().describe("Name of the node group's data source (`lep node storage list`)."),
    attachments: listOf(
      section({
        mode: choice('awsProfile', 'mscProfile').describe(
          'Form of the credentials in the container: for AWS (`~/.aws/config`), or for several clouds (YAML).',
        ),
        attach_with: choice('object', 'object.aistore')
          .optional()
          .describe("How it is attached; if absent, as the workspace's configuration says."),
        profile_name: text()
          .optional()
          .describe("Name of the credentials' profile; if absent, that of the data source's bucket."),
      }),
    )
      .refine((modes) => modes.length > 0, 'at least one attachment is needed')
      .describe('How it appears in the container, one entry per form of credentials.'),
  }),
);

/** Nodes of the node group, by id. */
export const allowedNodes = listOf(text());

const cidr = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)(?:\/\d{1,3})?$/;

const authConfig = section({
  ip_allowlist: listOf(text({ pattern: cidr, expected: 'an IP address or a range such as 10.0.0.0/8' }))
    .optional()
    .describe(
      'Addresses and ranges that may call the endpoint; if absent, all. They must include those of the jobs, and of the machine whose worker tries the model: else the endpoint never counts as ready.',
    ),
  lepton_workspace_token_auth: section({
    remove_authorization_header: flag()
      .optional()
      .describe(`Do not pass the caller's token on to the server. ${undocumented}`),
  })
    .optional()
    .describe('Access with the token of the workspace.'),
});

/** Names only. Anything else may be the secret itself, so the message does not repeat it. */
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
        "Time without traffic after which the endpoint scales down to zero replicas, so that its cost ends even if nothing cleans up. 0: never. Default 1 hour. The platform may take up to 30 s longer; its client accepts nothing between 0 and 60 s. While a run needs an endpoint, the run's worker sends requests often enough to keep it up.",
      ),
    not_ready_timeout: duration({ zero: true })
      .optional()
      .describe(`Time after which an endpoint that is not ready scales down. ${undocumented}`),
    scale_from_zero: flag()
      .refine((value) => !value, 'the platform has no such setting: only false is possible')
      .optional()
      .describe('Only `false` is accepted: the platform has no such setting.'),
  })
    .optional()
    .describe('When replicas are removed.'),
  target_gpu_utilization_percentage: integer({ min: 0, max: 100 })
    .optional()
    .describe(
      'Target GPU utilization in percent: replicas are added above it and removed below it, between `min_replicas` and `max_replicas`. 0: off.',
    ),
  target_throughput: section({
    qpm: decimal({ min: 0 }).optional().describe('Queries per minute and replica. 0: off.'),
    paths: listOf(text()).optional().describe(`Request paths to count. ${undocumented}`),
    methods: listOf(text()).optional().describe(`Request methods to count. ${undocumented}`),
  })
    .optional()
    .describe('Target request rate: replicas are added above it, between `min_replicas` and `max_replicas`.'),
});

/** Defaults of every endpoint's spec. */
export const platformDefaults = section({
  health: health.optional().describe('Health checks of the replicas.'),
  log: log.optional().describe('Which logs the platform keeps.'),
  metrics: metrics.optional().describe('Metrics of the replicas.'),
  routing_policy: section({
    enable_header_based_replica_routing: flag()
      .optional()
      .describe('Let a request choose its replica with the header `X-Lepton-Replica-Target: REPLICA_ID`.'),
  })
    .optional()
    .describe('How requests reach replicas.'),
  queue_config: queueConfig.optional().describe('Queueing and preemption (dedicated node groups only).'),
  user_security_context: userSecurityContext.optional().describe('User and privileges of the container.'),
  image_pull_secrets: imagePullSecrets
    .optional()
    .describe("Names of the workspace's image pull secrets, for example for `nvcr.io`."),
  scheduling_policy: section({
    replica_spread: choice('Required', 'Preferred')
      .optional()
      .describe(
        '`Required`: each replica runs on a node of its own, and does not start without one. `Preferred`: on different nodes where possible.',
      ),
  })
    .optional()
    .describe('How replicas are placed.'),
  reservation_config: reservationConfig
    .optional()
    .describe('Reserved capacity to run on (dedicated node groups only).'),
  storage_attachments: storageAttachments
    .optional()
    .describe('Object storage for the model server (dedicated node groups only).'),
  auth_config: authConfig.optional().describe('Who may call the endpoints, besides the need for a token.'),
  load_balance_config: section({
    least_request: section({
      choice_count: integer({ min: 1 }).optional().describe(`How many replicas are compared. ${undocumented}`),
    })
      .optional()
      .describe('Least request: prefer the replica with the fewest active requests.'),
    maglev: section({}).optional().describe('Sticky routing (consistent hashing).'),
  })
    .optional()
    .describe('How requests are distributed over replicas. Set one of the two.'),
  ingress_timeout_seconds: integer({ min: 300, max: 3600, unit: 'seconds' })
    .optional()
    .describe("Timeout of a request at the ingress, in seconds. The platform's default is 300."),
  enable_rdma: flag()
    .refine((value) => !value, "the platform's API has no such setting: only false is possible")
    .optional()
    .describe("Only `false` is accepted: the platform's API has no such setting."),
});
