// Compiles ReferencePool.sol into ReferencePool.json, byte for byte the same each time.
//
//   npm install --prefix <private folder> solc@0.8.28
//   NODE_PATH=<private folder>/node_modules node compose/zone_b/contracts/build.mjs [--check]
//
// With --check nothing is written: exit 1 if the stored artifact differs from a fresh one.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const NAME = "ReferencePool";
const COMPILER = "0.8.28+commit.7893614a";
const require = createRequire(process.env.NODE_PATH ? `${process.env.NODE_PATH}/` : import.meta.url);
const solc = require("solc");

if (!solc.version().startsWith(COMPILER)) {
  console.error(`solc ${COMPILER} is needed, this is ${solc.version()}`);
  process.exit(2);
}
const here = new URL(".", import.meta.url);
const input = {
  language: "Solidity",
  sources: { [`${NAME}.sol`]: { content: readFileSync(new URL(`${NAME}.sol`, here), "utf8") } },
  settings: {
    evmVersion: "shanghai",
    optimizer: { enabled: true, runs: 10_000 },
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: {
      "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers"] },
    },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
if ((output.errors ?? []).length > 0) process.exit(1);

const { evm } = output.contracts[`${NAME}.sol`][NAME];
const artifact = {
  contract: NAME,
  compiler: COMPILER,
  evm_version: input.settings.evmVersion,
  optimizer_runs: input.settings.optimizer.runs,
  selectors: evm.methodIdentifiers,
  bytecode: evm.bytecode.object,
  deployed_bytecode: evm.deployedBytecode.object,
};
const text = JSON.stringify(artifact, null, 2) + "\n";
const target = new URL(`${NAME}.json`, here);
if (process.argv.includes("--check")) {
  const same = readFileSync(target, "utf8") === text;
  console.log(same ? "the stored artifact is up to date" : "the stored artifact is stale: build it");
  process.exit(same ? 0 : 1);
}
writeFileSync(target, text);
console.log(`${NAME}.json written`);
