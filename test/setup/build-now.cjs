require('./build-once.cjs')();
