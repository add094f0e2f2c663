/** Shifts the clock of this process or thread by EVALSAGA_CHAOS_CLOCK milliseconds. Must be loaded first. */
const offset = Number(process.env.EVALSAGA_CHAOS_CLOCK ?? 0);

if (offset !== 0) {
  const RealDate = Date;
  class ShiftedDate extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + offset);
      else super(...args);
    }

    static now() {
      return RealDate.now() + offset;
    }
  }
  globalThis.Date = ShiftedDate;

  // Node sets the Date header of responses by a clock that can't be replaced.
  const { ServerResponse } = require('node:http');
  const { writeHead } = ServerResponse.prototype;
  ServerResponse.prototype.writeHead = function (...args) {
    if (!this.hasHeader('date')) this.setHeader('date', new ShiftedDate().toUTCString());
    return writeHead.apply(this, args);
  };
}
