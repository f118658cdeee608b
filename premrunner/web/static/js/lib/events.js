import { RequestFailed } from "./request.js";

/** The connection ended before what was to be read; what the server does goes on. */
export class ConnectionBroken extends RequestFailed {
  constructor() {
    super("The connection broke before the answer was complete.");
  }
}

/** Yield the JSON value of each server-sent event as it arrives; an event that reports an error is thrown. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let received = "";
  for (;;) {
    const { value, done } = await read(reader);
    if (done) return;
    const whole = (received + value).split("\n\n");
    received = whole.pop();
    for (const event of whole) {
      if (!event.startsWith("data: ")) continue; // A comment, which only says that the server is there.
      const data = JSON.parse(event.slice("data: ".length));
      if (data.error) throw new RequestFailed(data.error.message);
      yield data;
    }
  }
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ConnectionBroken();
  }
}
