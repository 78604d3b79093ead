import { printedLinesTests } from "./support/printed_lines.ts";

printedLinesTests({
  name: "http",
  scheme: "http",
  prepare: () => Promise.resolve({ variables: {}, async [Symbol.asyncDispose]() {} }),
});
