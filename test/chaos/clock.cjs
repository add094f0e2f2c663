/** Sets the clock of this process or thread wrong, by EVALSAGA_CHAOS_CLOCK milliseconds: load it before all else. */
const offset = Number(process.env.EVALSAGA_CHAOS_CLOCK ?? 0);

if (offset !== 0) {
  const True = Date;
  class Wrong extends True {
    constructor(...args) {
      if (args.length === 0) super(True.now() + offset);
      else super(...args);
    }

    static now() {
      return True.now() + offset;
    }
  }
  globalThis.Date = Wrong;

  // Node dates its answers by a clock of its own, which nobody can set.
  const { ServerResponse } = require('node:http');
  const { writeHead } = ServerResponse.prototype;
  ServerResponse.prototype.writeHead = function (...args) {
    if (!this.hasHeader('date')) this.setHeader('date', new Wrong().toUTCString());
    return writeHead.apply(this, args);
  };
}
