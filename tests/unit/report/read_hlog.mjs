// Prints what hdr-histogram-js reads in a histogram log: a line for each interval, then the whole.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , root, path, ...percentiles] = process.argv;
const hdr = createRequire(`${root}/package.json`)("hdr-histogram-js");
const reader = new hdr.HistogramLogReader(readFileSync(path, "utf-8"), 64);
const told = (histogram, extra) => ({
  count: histogram.totalCount,
  values: percentiles.map((rank) => histogram.getValueAtPercentile(Number(rank))),
  ...extra,
});
const whole = hdr.build({
  lowestDiscernibleValue: 1000,
  highestTrackableValue: 3600000000000,
  numberOfSignificantValueDigits: 3,
  bitBucketSize: 64,
});
for (let one = reader.nextIntervalHistogram(); one; one = reader.nextIntervalHistogram()) {
  const span = { tag: one.tag, start: one.startTimeStampMsec, end: one.endTimeStampMsec };
  console.log(JSON.stringify(told(one, span)));
  whole.add(one);
}
console.log(JSON.stringify(told(whole, {})));
