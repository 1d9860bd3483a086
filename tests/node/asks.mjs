// Asks questions with the official clients. A line of JSON on stdin, {"url", "key", "way", "text", "tools"}, is answered by a line
// on stdout: what was heard, in the form that the Python tests have for it, or {"error", "status"}.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import * as readline from "node:readline";

const LIMIT = 100;
const SCHEMA = { type: "object", properties: { city: { type: "string" } } };
const TOOLS = {
  chat: (name) => ({ type: "function", function: { name, description: "It does.", parameters: SCHEMA } }),
  responses: (name) => ({ type: "function", name, description: "It does.", parameters: SCHEMA, strict: false }),
  messages: (name) => ({ name, description: "It does.", input_schema: SCHEMA }),
};
const STOP = { end_turn: "stop", tool_use: "tool_calls" };

function check(holds, what) {
  if (!holds) throw new Error(`not as it must be: ${what}`);
}

async function all(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

function hearChat(answer) {
  const { message, finish_reason } = answer.choices[0];
  const calls = (message.tool_calls ?? []).map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)]);
  return { text: message.content, calls, finish: finish_reason, usage: answer.usage && [answer.usage.prompt_tokens, answer.usage.completion_tokens] };
}

function hearChunks(chunks) {
  const heard = { text: "", calls: [], finish: null, usage: null };
  for (const chunk of chunks) {
    check(chunk.object === "chat.completion.chunk" && chunk.id === chunks[0].id, "chunk");
    if (chunk.usage) heard.usage = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens];
    for (const { delta, finish_reason } of chunk.choices) {
      heard.text += delta.content ?? "";
      for (const call of delta.tool_calls ?? []) {
        const one = (heard.calls[call.index] ??= ["", "", ""]);
        one[0] += call.id ?? "";
        one[1] += call.function?.name ?? "";
        one[2] += call.function?.arguments ?? "";
      }
      heard.finish = finish_reason ?? heard.finish;
    }
  }
  heard.calls = heard.calls.map(([id, name, said]) => [id, name, JSON.parse(said)]);
  return { ...heard, text: heard.text || null };
}

function hearResponse(answer) {
  check(answer.object === "response" && answer.status === "completed", "response");
  const calls = answer.output.filter((item) => item.type === "function_call").map((item) => [item.call_id, item.name, JSON.parse(item.arguments)]);
  const texts = answer.output.filter((item) => item.type === "message").flatMap((item) => item.content);
  const text = texts.map((part) => part.text ?? "").join("") || null;
  return { text, calls, finish: calls.length ? "tool_calls" : "stop", usage: [answer.usage.input_tokens, answer.usage.output_tokens] };
}

function hearResponseEvents(events) {
  check(events[0].type === "response.created" && events.at(-1).type === "response.completed", "order of events");
  const heard = hearResponse(events.at(-1).response);
  const said = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta).join("");
  check(said === (heard.text ?? ""), "deltas");
  return heard;
}

function hearMessage(answer) {
  check(answer.type === "message" && answer.role === "assistant", "message");
  const calls = answer.content.filter((block) => block.type === "tool_use").map((block) => [block.id, block.name, block.input]);
  const text = answer.content.filter((block) => block.type === "text").map((block) => block.text).join("") || null;
  return { text, calls, finish: STOP[answer.stop_reason], usage: [answer.usage.input_tokens, answer.usage.output_tokens] };
}

function hearMessageEvents(events) {
  check(events[0].type === "message_start" && events.at(-1).type === "message_stop", "order of events");
  const blocks = [];
  const heard = { usage: [events[0].message.usage.input_tokens, null] };
  for (const event of events) {
    if (event.type === "content_block_start") blocks[event.index] = { ...event.content_block, said: "" };
    if (event.type === "content_block_delta") blocks[event.index].said += event.delta.text ?? event.delta.partial_json ?? "";
    if (event.type === "message_delta") {
      heard.finish = STOP[event.delta.stop_reason];
      heard.usage[1] = event.usage.output_tokens;
    }
  }
  const calls = blocks.filter((block) => block.type === "tool_use").map((block) => [block.id, block.name, JSON.parse(block.said || "{}")]);
  const text = blocks.filter((block) => block.type === "text").map((block) => block.said).join("") || null;
  return { text, calls, ...heard };
}

async function ask({ url, key, way, text, tools }) {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const anthropic = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
  const [api, how = "plain"] = way.split("_");
  const more = tools.length ? { tools: tools.map(TOOLS[api]) } : {};
  const question =
    api === "responses"
      ? { model: "stub-model", max_output_tokens: LIMIT, input: text, store: false, ...more }
      : { model: "stub-model", max_tokens: LIMIT, messages: [{ role: "user", content: text }], ...more };
  const counted = { ...question, stream_options: { include_usage: true } };
  const ways = {
    chat: {
      plain: async () => hearChat(await openai.chat.completions.create(question)),
      stream: async () => hearChunks(await all(await openai.chat.completions.create({ ...counted, stream: true }))),
      helper: async () => hearChat(await openai.chat.completions.stream(counted).finalChatCompletion()),
    },
    responses: {
      plain: async () => hearResponse(await openai.responses.create(question)),
      stream: async () => hearResponseEvents(await all(await openai.responses.create({ ...question, stream: true }))),
      helper: async () => hearResponse(await openai.responses.stream(question).finalResponse()),
    },
    messages: {
      plain: async () => hearMessage(await anthropic.messages.create(question)),
      stream: async () => hearMessageEvents(await all(await anthropic.messages.create({ ...question, stream: true }))),
      helper: async () => hearMessage(await anthropic.messages.stream(question).finalMessage()),
    },
    completions: {
      plain: async () => ({ text: (await openai.completions.create({ model: "stub-model", prompt: text })).choices[0].text }),
      stream: async () => {
        const chunks = await all(await openai.completions.create({ model: "stub-model", prompt: text, stream: true }));
        return { text: chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.text)).join("") };
      },
    },
    embeddings: {
      plain: async () => ({ vector: Array.from((await openai.embeddings.create({ model: "text-embedding-9", input: text })).data[0].embedding) }),
    },
  };
  return ways[api][how]();
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let heard;
  try {
    heard = await ask(JSON.parse(line));
  } catch (error) {
    heard = { error: `${error.constructor.name}: ${error.message}`, status: error.status ?? null };
  }
  process.stdout.write(`${JSON.stringify(heard)}\n`);
}
