import assert from "node:assert/strict";
import { renderFamilies } from "../../src/metrics/prometheus.ts";

Deno.test("families are written as the format's page shows them", () => {
  const text = renderFamilies([
    { name: "a_total", help: "What a is.", type: "counter", samples: [[{ x: "1", y: "2" }, 3]] },
    { name: "b", help: "What b is.", type: "gauge", samples: [[{}, 0.5]] },
    { name: "none", help: "Nothing yet.", type: "counter", samples: [] },
  ]);
  assert.equal(
    text,
    '# HELP a_total What a is.\n# TYPE a_total counter\na_total{x="1",y="2"} 3\n' +
      "# HELP b What b is.\n# TYPE b gauge\nb 0.5\n" +
      "# HELP none Nothing yet.\n# TYPE none counter\n",
  );
});

Deno.test("a label's value is escaped", () => {
  const samples = [[{ l: 'a"b\\c\nd' }, 1]] as const;
  const text = renderFamilies([{ name: "m", help: "h", type: "gauge", samples }]);
  assert.ok(text.endsWith('m{l="a\\"b\\\\c\\nd"} 1\n'), text);
});
