import { csrfToken } from "./page_data.js";

/** A request that was refused or did not arrive, with a sentence for the reader. */
export class RequestFailed extends Error {
  /**
   * @param {number} status of the answer; 0 when there was none
   * @param {string} field what is wrong, where the server names it
   */
  constructor(message, status = 0, field = "") {
    super(message);
    Object.assign(this, { status, field });
  }
}

/** Get what an address holds; `signal` ends the request. */
export const get = (url, signal) => send("GET", url, undefined, signal);

/**
 * Post JSON and return the response, which is one of success.
 * @param {AbortSignal} signal ends the request, and then also what the server does for it
 */
export const post = (url, body, signal) => send("POST", url, body, signal);

/** Send a request with any verb, with or without JSON, and return the response, which is one of success. */
export async function send(method, url, body, signal) {
  const response = await reach(url, {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  if (response.redirected) throw new RequestFailed("You are logged out. Reload the page to log in again.", 401);
  if (!response.ok) throw await refusal(response);
  return response;
}

/** Return the JSON behind an address. */
export const getJson = async (url) => (await send("GET", url)).json();

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestFailed("PremRunner cannot be reached. Is it still running?");
  }
}

async function refusal(response) {
  try {
    const { message, param } = (await response.json()).error;
    return new RequestFailed(message, response.status, param ?? "");
  } catch {
    return new RequestFailed(`The server answered ${response.status}.`, response.status);
  }
}
