import { Authority, hasOpenssl } from "../support/openssl.ts";
import { printedLinesTests } from "./support/printed_lines.ts";

printedLinesTests({
  name: "a certificate of one's own",
  scheme: "https",
  whyNot: hasOpenssl ? undefined : "there is no openssl",
  async prepare() {
    const authority = await Authority.create();
    const { cert, key } = await authority.sign("gateway.test");
    return {
      variables: { CXG_TLS_CERT: cert, CXG_TLS_KEY: key },
      ca: authority.cert,
      [Symbol.asyncDispose]: () => authority[Symbol.asyncDispose](),
    };
  },
});
