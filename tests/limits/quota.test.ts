import assert from "node:assert/strict";
import { Holdings } from "../../src/limits/quota.ts";

Deno.test("a holder has at most so many, and others do not notice", () => {
  const holdings = new Holdings(2);
  assert(holdings.take("a") && holdings.take("a"));
  assert(!holdings.take("a"));
  assert(holdings.take("b"));
  holdings.release("a");
  assert(holdings.take("a"));
  assert(!holdings.take("a"));
});

Deno.test("what is added counts, even over the limit", () => {
  const holdings = new Holdings(1);
  assert(holdings.take("a"));
  holdings.add("a");
  holdings.release("a");
  assert(!holdings.take("a"));
  holdings.release("a");
  assert(holdings.take("a"));
});
