/**
 * Lets Node run the repository's .ts files: `node --require ./scripts/typescript.cjs FILE.ts`. For development tools
 * only.
 */
const Module = require('node:module');
const path = require('node:path');
const { existsSync } = require('node:fs');
const { transformFileSync } = require('@swc/core');

const root = path.resolve(__dirname, '..');
const options = {
  jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
  module: { type: 'commonjs', ignoreDynamic: false },
  sourceMaps: 'inline',
  configFile: false,
  swcrc: false,
};

Module._extensions['.ts'] = (module, file) => module._compile(transformFileSync(file, options).code, file);

/** Dynamic imports have the extension `.js`, which the build needs. */
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, parent, ...rest) {
  const from = parent?.filename;
  if (from?.startsWith(root) && /^\.{1,2}\/.*\.js$/.test(request)) {
    const source = path.resolve(path.dirname(from), request.replace(/\.js$/, '.ts'));
    if (existsSync(source)) return source;
  }
  return resolve.call(this, request, parent, ...rest);
};
