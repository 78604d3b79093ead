import { printedLinesTests } from "./support/printed_lines.ts";

printedLinesTests({
  name: "CXG_TLS=self-signed",
  scheme: "https",
  prepare: () =>
    Promise.resolve({
      variables: { CXG_TLS: "self-signed" },
      async [Symbol.asyncDispose]() {},
    }),
});
