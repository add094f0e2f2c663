import { proxyInWords } from '../../../src/lepton/dispatcher';

test.each([
  ['https://gw.example/api', { HTTPS_PROXY: 'http://user:secret@proxy:3128' }, 'HTTPS_PROXY, proxy:3128'],
  ['https://gw.example/api', { http_proxy: 'proxy:3128' }, 'HTTP_PROXY, proxy:3128'],
  ['http://gw.example/api', { HTTPS_PROXY: 'http://proxy:3128' }, undefined],
  ['https://gw.example/api', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'other, .example' }, undefined],
  [
    'https://gw.example:444/api',
    { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'gw.example:443' },
    'HTTPS_PROXY, proxy:3128',
  ],
  ['https://gw.example/api', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '*' }, undefined],
  ['http://127.0.0.1:80/api', { HTTP_PROXY: 'http://proxy:3128' }, undefined],
  ['http://[::1]:80/api', { HTTP_PROXY: 'http://proxy:3128' }, undefined],
])('%s with %j', (url, env, words) => {
  expect(proxyInWords(url, env)).toBe(words);
});
