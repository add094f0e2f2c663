/** Usage: main.cjs ADDRESS TASKS READY_MS JOB_MS. Prints the wall time of the bare program's run, milliseconds. */
const { Context } = require('@temporalio/activity');
const { Client, Connection } = require('@temporalio/client');
const { NativeConnection, Worker } = require('@temporalio/worker');

const [address, tasks, readyMs, jobMs] = process.argv.slice(2);

const activities = {
  step: async () => undefined,
  wait: async (ms) => {
    const beat = setInterval(() => Context.current().heartbeat(), 5_000);
    await new Promise((resolve) => setTimeout(resolve, ms));
    clearInterval(beat);
  },
};

async function main() {
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue: 'bench-bare',
    workflowsPath: require.resolve('./workflows.cjs'),
    activities,
    maxConcurrentActivityTaskExecutions: 4_000,
  });
  const running = worker.run();
  const client = new Client({ connection: await Connection.connect({ address }) });
  const begun = performance.now();
  await client.workflow.execute('bareRun', {
    args: [{ tasks: Number(tasks), readyMs: Number(readyMs), jobMs: Number(jobMs) }],
    taskQueue: 'bench-bare',
    workflowId: `bench-bare-${Date.now()}`,
  });
  console.log(Math.round(performance.now() - begun));
  worker.shutdown();
  await running;
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
