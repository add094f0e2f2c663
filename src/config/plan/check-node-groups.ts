/** Checks keys that only mean something on a dedicated node group. */
import type { ResolvedConfig } from '../schema/config';
import type { ProblemReport } from './problem-report';

/** Reports nodes and object storage that are named without the node group that has them. */
export function checkNodeGroups({ deployment, execution }: ResolvedConfig, report: ProblemReport): void {
  const { deployment: endpoints, tasks: jobs } = execution.lepton_platform;
  const at = 'execution.lepton_platform';
  const places = [
    ...(deployment.type === 'none'
      ? []
      : [
          {
            group: endpoints.node_group,
            groupAt: `${at}.deployment.node_group`,
            nodes: endpoints.allowed_nodes,
            nodesAt: `${at}.deployment.allowed_nodes`,
            storage: endpoints.platform_defaults.storage_attachments,
            storageAt: `${at}.deployment.platform_defaults.storage_attachments`,
          },
        ]),
    {
      group: jobs.node_group,
      groupAt: `${at}.tasks.node_group`,
      nodes: jobs.allowed_nodes,
      nodesAt: `${at}.tasks.allowed_nodes`,
      storage: jobs.storage_attachments,
      storageAt: `${at}.tasks.storage_attachments`,
    },
  ];
  for (const { group, groupAt, nodes, nodesAt, storage = [], storageAt } of places) {
    if (group !== null) continue;
    if (nodes.length > 0) report.add(nodesAt, 'names nodes without the node group that has them', `set ${groupAt}`);
    if (storage.length > 0)
      report.add(storageAt, 'names a data source without the node group that has it', `set ${groupAt}`);
  }
}
