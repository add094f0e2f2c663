/** The floor: what the engine itself takes for a run's shape. A parent, a child per task, six activities each, two of them waiting. */
const { executeChild, proxyActivities, workflowInfo } = require('@temporalio/workflow');

const activities = proxyActivities({ startToCloseTimeout: '1h', heartbeatTimeout: '30s' });

exports.bareTask = async function bareTask({ index, readyMs, jobMs }) {
  await activities.step('create', index);
  await activities.wait(readyMs);
  await activities.step('submit', index);
  await activities.wait(jobMs);
  await activities.step('results', index);
  await activities.step('teardown', index);
};

exports.bareRun = async function bareRun({ tasks, readyMs, jobMs }) {
  const { workflowId } = workflowInfo();
  const children = Array.from({ length: tasks }, (_, index) =>
    executeChild('bareTask', { args: [{ index, readyMs, jobMs }], workflowId: `${workflowId}.${index}` }),
  );
  await Promise.all(children);
};
