/** `target`: the endpoint to evaluate. */
import type { Session } from '../session';

const endpoint = ['target', 'api_endpoint'];

export function migrateTarget(session: Session): void {
  const { document, deployment } = session;
  if (!document.has(endpoint)) return;
  migrateKey(session);
  if (document.has([...endpoint, 'adapter_config']))
    session.move(
      [...endpoint, 'adapter_config'],
      ['evaluation', 'nemo_evaluator_config', 'target', 'api_endpoint', 'adapter_config'],
      'settings of the proxy between harness and endpoint',
    );
  session.remove([...endpoint, 'type'], 'each task knows which kind of requests it makes');
  if (deployment === undefined || deployment === 'none') return;
  const why = 'the run deploys its own endpoint';
  session.remove([...endpoint, 'url'], why);
  const model = document.text([...endpoint, 'model_id']);
  const served = ['deployment', 'served_model_name'];
  if (model !== undefined && model !== '???' && !document.has(served))
    session.move([...endpoint, 'model_id'], served, 'the name under which the deployed model is served');
  else session.remove([...endpoint, 'model_id'], why);
}

/** `api_key` held the name of a variable, or a reference to one. */
function migrateKey(session: Session): void {
  const { document } = session;
  const from = [...endpoint, 'api_key'];
  const to = [...endpoint, 'api_key_name'];
  const text = document.text(from);
  if (text === undefined) {
    if (document.has(from)) session.remove(from, 'no value was set');
    return;
  }
  if (document.text(to) !== undefined) {
    session.remove(from, '`api_key_name` names the variable with the key');
    return;
  }
  const name = /^(?:\$\{oc\.env:\s*|host:|\$\{?)?([A-Z_][A-Z0-9_]*)\}?$/.exec(text.trim())?.[1];
  if (name === undefined) {
    session.ask(
      from,
      'a key does not belong in a config',
      'put it into a variable of this host, and write the name: api_key_name: NAME',
    );
    return;
  }
  document.setText(from, name);
  if (document.has(to)) document.take(to);
  document.rename(from, 'api_key_name');
  session.changed(from, `now api_key_name: ${name}`, 'the config names the variable with the key');
}
