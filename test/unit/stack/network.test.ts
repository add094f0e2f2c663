import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { networkMark } from '../../../src/stack/network';
import { freshFolder } from '../../support/folders';

test('proxies and certificate authorities mark a background process; none named, none wanted', async () => {
  const folder = await freshFolder('network');
  try {
    const file = path.join(folder.path, 'ca.pem');
    const marks = [
      networkMark({ HTTPS_PROXY: 'http://me:password@proxy:3128' }),
      networkMark({ https_proxy: 'http://me:password@proxy:3128', NO_PROXY: '.company' }),
      networkMark({ NODE_EXTRA_CA_CERTS: file }),
    ];
    writeFileSync(file, 'another authority');
    marks.push(networkMark({ NODE_EXTRA_CA_CERTS: file }));
    expect(new Set(marks).size).toBe(4);
    for (const mark of marks) expect(mark).toMatch(/^[0-9a-f]{16}$/);
    expect(networkMark({ NO_PROXY: '.company', NODE_EXTRA_CA_CERTS: '' })).toBeUndefined();
  } finally {
    await folder.dispose();
  }
});
