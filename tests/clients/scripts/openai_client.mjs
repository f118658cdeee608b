// Everything that OpenAI's JavaScript package is used for.
import OpenAI from "openai";

const model = process.env.MODEL;
const messages = [{ role: "user", content: "What is the capital of France?" }];
const address = { baseURL: `${process.env.BASE}/v1`, apiKey: process.env.TOKEN };
const client = new OpenAI(address);

async function errorOf(call) {
  try {
    await call();
  } catch (error) {
    return [error.constructor.name, error.status, error.code];
  }
  return ["nothing was thrown"];
}

const chat = await client.chat.completions.create({ model, messages, temperature: 0 });
let streamed = "";
for await (const chunk of await client.chat.completions.create({ model, messages, temperature: 0, stream: true })) {
  streamed += chunk.choices[0].delta.content ?? "";
}
const left = await client.chat.completions.create({ model, messages, stream: true, max_tokens: 2000 });
for await (const _ of left) break; // Leaving the loop closes the connection.
const embedding = await client.embeddings.create({ model, input: ["Paris", "Rome"] });
const response = await client.responses.create({ model, input: messages, temperature: 0 });
let events = "";
for await (const event of await client.responses.create({ model, input: messages, temperature: 0, stream: true })) {
  if (event.type === "response.output_text.delta") events += event.delta;
}
const listed = (await client.models.list()).data.map((one) => one.id);

console.log(
  JSON.stringify({
    chat: chat.choices[0].message.content,
    request_id: chat.id.endsWith(chat._request_id),
    streamed,
    embedding: [embedding.data.length, embedding.data[0].embedding.length],
    response: response.output_text,
    events,
    listed: listed.includes(model),
    unknown: await errorOf(() => client.chat.completions.create({ model: "no-such-model", messages })),
    field: await errorOf(() => client.chat.completions.create({ model, messages, temperature: 9 })),
    key: await errorOf(() => new OpenAI({ ...address, apiKey: "wrong" }).models.list()),
  }),
);
