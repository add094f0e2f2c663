import { dataSourcesSchema, namedSchema, nodeGroupSchema, nodeSchema, shapeSchema } from './answers';
import { segment, type Requests } from './requests';
import type { LeptonClient } from './types';

/** Statuses with which servers answer a route that they do not have. */
const noSuchRoute: readonly number[] = [404, 405, 501];

type NodeGroupCalls = Pick<
  LeptonClient,
  'listNodeGroups' | 'listNodeIds' | 'listReservationIds' | 'listDataSourceNames' | 'listShapeNames'
>;

/** Creates the calls about node groups, and about the shapes that workloads can have. */
export const nodeGroupCalls = (requests: Requests): NodeGroupCalls => ({
  async listNodeGroups(call) {
    return requests.list({ method: 'GET', path: '/dedicated-node-groups', options: call }, nodeGroupSchema);
  },
  async listNodeIds(nodeGroupId, call) {
    const path = `/dedicated-node-groups/${segment(nodeGroupId)}/nodes`;
    const nodes = await requests.list({ method: 'GET', path, options: call }, nodeSchema);
    return nodes.map((node) => node.metadata.id);
  },
  async listReservationIds(nodeGroupId, call) {
    const path = `/dedicated-node-groups/${segment(nodeGroupId)}/reservations`;
    const reservations = await requests.list({ method: 'GET', path, options: call }, namedSchema);
    return reservations.flatMap(({ metadata: { id } }) => id ?? []);
  },
  async listDataSourceNames(nodeGroupId, call) {
    const request = {
      method: 'GET',
      path: `/dedicated-node-groups/${segment(nodeGroupId)}/datasources`,
      options: call,
    } as const;
    const answer = await requests.one(request, dataSourcesSchema);
    return (answer.items ?? []).map(({ spec }) => spec.name);
  },
  async listShapeNames(call) {
    const groups = call?.nodeGroups ?? [];
    const query = groups.length === 0 ? {} : { query: { node_groups: groups.join(',') } };
    const request = {
      method: 'GET',
      path: '/shapes',
      ...query,
      acceptedStatuses: noSuchRoute,
      options: call,
    } as const;
    const answer = await requests.json(request);
    if (answer === undefined) return [];
    const names = requests.items({ method: 'GET', path: '/shapes' }, answer, shapeSchema);
    return names.filter((name) => name !== '');
  },
});
