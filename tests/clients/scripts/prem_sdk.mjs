// Prem's old JavaScript package. Its streams hang for ever unless the end comes by itself, after a pause.
import Prem from "@premai/prem-sdk";

const client = new (Prem.default ?? Prem)({ apiKey: process.env.TOKEN, baseUrl: process.env.BASE });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const wanted = { project_id: 1, model: process.env.MODEL, messages, temperature: 0 };

const chat = await client.chat.completions.create(wanted);
const streams = [];
for (let round = 0; round < 3; round += 1) {
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...wanted, stream: true })) {
    text += chunk.choices?.[0]?.delta?.content ?? "";
  }
  streams.push(text);
}
let cloud = null;
try {
  await client.repositories.create({ name: "x", description: "y", organization: "z" });
} catch (body) {
  cloud = body.error?.code;
}

console.log(JSON.stringify({ chat: chat.choices[0].message.content, provider: chat.provider_name, streams, cloud }));
