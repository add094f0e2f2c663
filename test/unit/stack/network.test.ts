import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { networkFingerprint } from '../../../src/stack/network';
import { freshFolder } from '../../support/folders';

test('each setting of proxies and certificate authorities has its own fingerprint; without settings there is none', async () => {
  const folder = await freshFolder('network');
  try {
    const file = path.join(folder.path, 'ca.pem');
    const fingerprints = [
      networkFingerprint({ HTTPS_PROXY: 'http://me:password@proxy:3128' }),
      networkFingerprint({ https_proxy: 'http://me:password@proxy:3128', NO_PROXY: '.company' }),
      networkFingerprint({ NODE_EXTRA_CA_CERTS: file }),
    ];
    writeFileSync(file, 'another authority');
    fingerprints.push(networkFingerprint({ NODE_EXTRA_CA_CERTS: file }));
    expect(new Set(fingerprints).size).toBe(4);
    for (const fingerprint of fingerprints) expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(networkFingerprint({ NO_PROXY: '.company', NODE_EXTRA_CA_CERTS: '' })).toBeUndefined();
  } finally {
    await folder.dispose();
  }
});
