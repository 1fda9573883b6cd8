// Prints the percentile distribution that hdr-histogram-js makes of an encoded histogram, in ms.
import { createRequire } from "node:module";

const [, , root, encoded] = process.argv;
const hdr = createRequire(`${root}/package.json`)("hdr-histogram-js");
const histogram = hdr.decodeFromCompressedBase64(encoded, 64);
process.stdout.write(histogram.outputPercentileDistribution(5, 1e6));
