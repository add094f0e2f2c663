import { stackTable } from '../render/overview';
import { choosePlatform, type PlatformWish } from '../../stack/choose-platform';
import { ensureStack } from '../../stack/stack';
import { stackStatus } from '../../stack/status';
import { storeCredentials } from '../../lepton/stored-credentials';
import { webUiUrl } from '../../temporal/web-ui';
import { textOption, type CommandBody } from '../command';
import { wantsJson } from '../config-input';
import { done } from '../exit-code';
import { encryptionHint } from '../encryption-hint';
import { programName } from '../program-name';
import { keepSwept } from '../attach/sweeping';

/** `up`: starts background processes that are missing or have died, and leaves the others alone. */
export const up: CommandBody = async (input, { home, env, output }) => {
  const choice = choosePlatform({ wish: (textOption(input, 'platform') ?? 'auto') as PlatformWish, env });
  if (choice.access) await storeCredentials(home, choice.access);
  const report = (line: string): void => output.note(output.style.dim(line));
  const stack = await ensureStack({ home, env, localPlatform: choice.ref.kind === 'local', report });
  await keepSwept(stack, choice.ref, { output, env, home });
  await stack.client.connection.close();
  const services = await stackStatus(home);
  const { address, namespace, uiBase } = stack.temporal;
  const webUi = webUiUrl({ address, namespace, base: uiBase });
  output.note(stack.started.length > 0 ? `started: ${stack.started.join(', ')}` : 'everything was running already');
  if (wantsJson(input)) {
    output.json({ home: home.root, temporal: { address, namespace, webUi }, services, started: stack.started });
    return done;
  }
  output.answer(stackTable(services, Date.now(), output.answerStyle));
  if (webUi !== null) output.note(`Temporal's Web UI: ${webUi}`);
  const hint = encryptionHint({ temporal: stack.temporal, services, program: programName(env) });
  if (hint !== undefined) output.note(hint);
  return done;
};
