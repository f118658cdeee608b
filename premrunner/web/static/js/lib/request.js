import { csrfToken } from "./page_data.js";

/** A request that was refused or did not arrive, with a sentence for the reader. */
export class RequestFailed extends Error {}

/**
 * Post JSON and return the response, which is one of success.
 * @param {AbortSignal} signal ends the request, and then also what the server does for it
 */
export async function post(url, body, signal) {
  const response = await reach(url, {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify(body),
    signal,
  });
  if (response.redirected) throw new RequestFailed("You are logged out. Reload the page to log in again.");
  if (!response.ok) throw new RequestFailed(await reason(response));
  return response;
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestFailed("PremRunner cannot be reached. Is it still running?");
  }
}

async function reason(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `The server answered ${response.status}.`;
  }
}
