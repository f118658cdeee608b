import { csrfToken } from "../lib/page_data.js";
import { RequestFailed } from "../lib/request.js";

/**
 * Send the bytes of a chunk; XMLHttpRequest tells how many have left, fetch does not.
 * @param {(bytes: number) => void} onProgress called with the bytes that have left
 * @throws {RequestFailed} with status 0 when there was no answer
 */
export function putChunk(url, bytes, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const settle = (end, value) => {
      signal.removeEventListener("abort", stop);
      end(value);
    };
    request.open("PUT", url);
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
    request.addEventListener("load", () => {
      if (request.status === 200 && request.response?.success) settle(resolve);
      else settle(reject, new RequestFailed(request.response?.error?.message ?? `The server answered ${request.status}.`, request.status));
    });
    request.addEventListener("error", () => settle(reject, new RequestFailed("The server cannot be reached.")));
    request.addEventListener("abort", () => settle(reject, new DOMException("Paused.", "AbortError")));
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    else request.send(bytes);
  });
}
