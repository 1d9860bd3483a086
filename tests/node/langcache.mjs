// What the LangCache client for Node does with a server: URL, URL of a server whose store is out of reach. The server takes
// bodies of 64 KiB.
import assert from "node:assert/strict";
import { LangCache } from "@redis-ai/langcache";
import * as errors from "@redis-ai/langcache/models/errors";
import { SearchStrategy } from "@redis-ai/langcache/models/searchstrategy.js";

const [url, brokenUrl] = process.argv.slice(2);
const at = (serverURL, cacheId) => new LangCache({ serverURL, cacheId, apiKey: "any" });
const docs = at(url, "node-docs"), other = at(url, "node-other"), broken = at(brokenUrl, "node-docs");

async function refusal(kind, status, call) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof kind, `${error?.name}: ${error}`);
    assert.equal(error.statusCode, status);
    return true;
  });
}

const PROMPT = "How do I reset my password?", ALIKE = "How can I reset my password?";
assert.deepEqual((await docs.search({ prompt: PROMPT })).data, []);
const { entryId } = await docs.set({ prompt: PROMPT, response: "Settings.", attributes: { lang: "en" }, ttlMillis: 600_000 });
assert.match(entryId, /^[0-9a-f]{32}$/);

let { data } = await docs.search({ prompt: ALIKE, attributes: { lang: "en" } });
assert.deepEqual([data.length, data[0].id, data[0].response, data[0].attributes], [1, entryId, "Settings.", { lang: "en" }]);
assert.equal(data[0].searchStrategy, SearchStrategy.Semantic);
assert.ok(data[0].similarity > 0.9 && data[0].similarity < 1);
({ data } = await docs.search({ prompt: PROMPT.toUpperCase(), searchStrategies: [SearchStrategy.Exact] }));
assert.deepEqual([data.length, data[0].similarity, data[0].searchStrategy], [1, 1, SearchStrategy.Exact]);
assert.deepEqual((await docs.search({ prompt: ALIKE, similarityThreshold: 0.9999 })).data, []);
assert.deepEqual((await docs.search({ prompt: ALIKE, attributes: { lang: "no" } })).data, []);
assert.deepEqual((await other.search({ prompt: PROMPT })).data, []);

await refusal(errors.BadRequestErrorResponseContent, 400, () => docs.search({ prompt: "" }));
await refusal(errors.BadRequestErrorResponseContent, 400, () => docs.set({ prompt: "x", response: "y", attributes: { a: "b,c" } }));
await refusal(errors.BadRequestErrorResponseContent, 400, () => docs.deleteQuery({ attributes: {} }));
await refusal(errors.NotFoundErrorResponseContent, 404, () => other.deleteById(entryId));
await refusal(errors.PayloadTooLargeErrorResponseContent, 413, () => docs.set({ prompt: "x", response: "y".repeat(70_000) }));
await refusal(errors.ResourceUnavailableErrorResponseContent, 424, () => broken.search({ prompt: "x" }));
await refusal(errors.ResourceUnavailableErrorResponseContent, 424, () => broken.set({ prompt: "x", response: "y" }));

await docs.deleteById(entryId);
assert.deepEqual((await docs.search({ prompt: PROMPT })).data, []);
for (const [i, lang] of ["en", "en", "no"].entries()) {
  await docs.set({ prompt: `Question number ${i} about ships`, response: "r", attributes: { lang } });
}
assert.equal((await docs.deleteQuery({ attributes: { lang: "en" } })).deletedEntriesCount, 2);
await other.set({ prompt: "Mine", response: "r" });
await docs.flush();
assert.deepEqual((await docs.search({ prompt: "Question number 2 about ships" })).data, []);
assert.equal((await other.search({ prompt: "Mine" })).data.length, 1);
console.log("all is well");
