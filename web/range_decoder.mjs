// The decoding half of docs/format.md, sections 5.3 to 5.6, in a browser's arithmetic: doubles and nothing else.
// Every number stays a whole number below 2^53, so each operation is exact; src/wisp/entropy is the same in Python.

import { EXPONENTIAL } from "./exponential.mjs";

/** Whole logits in 1/16 nat -> cumulative frequencies from 0 to 2^16 (section 5.3). */
export function cumulatives(logits) {
  const top = Math.max(...logits);
  const weights = logits.map((logit) => EXPONENTIAL[top - logit] ?? 0);
  const sum = weights.reduce((a, b) => a + b);
  const scale = Math.floor(((65536 - logits.length) * 2 ** 24) / sum);
  const freqs = weights.map((weight) => Math.floor((weight * scale) / 2 ** 24) + 1);
  freqs[logits.indexOf(top)] += 65536 - freqs.reduce((a, b) => a + b);
  const rows = [0];
  for (const freq of freqs) rows.push(rows[rows.length - 1] + freq);
  return rows;
}

/** Bytes in, symbols out; `data` is the payload and what follows it. Throws Error("Truncated" or "Corrupt"). */
export class RangeDecoder {
  constructor(data) {
    Object.assign(this, { data, position: 0, low: 0, range: 2 ** 32 - 1, code: 0 });
    for (let i = 0; i < 4; i++) this.code = this.code * 256 + this.next();
  }

  next() {
    if (this.position > this.data.length) throw new Error("Truncated"); // one byte may be assumed, not two
    return this.data[this.position++] ?? 0;
  }

  require(sound) {
    if (!sound) throw new Error(this.position > this.data.length ? "Truncated" : "Corrupt");
  }

  decode(rows) {
    const unit = Math.floor(this.range / 65536);
    const value = Math.floor(this.code / unit);
    this.require(value < 65536);
    let symbol = 0;
    while (rows[symbol + 1] <= value) symbol++;
    this.code -= unit * rows[symbol];
    this.low = (this.low + unit * rows[symbol]) % 2 ** 32;
    this.range = unit * (rows[symbol + 1] - rows[symbol]);
    for (; this.range < 2 ** 24; this.range *= 256) {
      this.code = this.code * 256 + this.next();
      this.low = (this.low * 256) % 2 ** 32;
    }
    return symbol;
  }

  /** Length of the payload in bytes, once the last symbol is decoded. */
  finish() {
    const gapTo = (step) => (step - (this.low % step)) % step;
    const count = gapTo(2 ** 24) + 2 ** 24 <= this.range ? 1 : 2;
    const step = 2 ** (32 - 8 * count);
    this.require(gapTo(step) <= this.code && this.code < gapTo(step) + step);
    return this.position - 4 + count;
  }
}
