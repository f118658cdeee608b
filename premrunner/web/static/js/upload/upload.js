import { RequestFailed, get, getJson, post, send } from "../lib/request.js";
import { inLane } from "./lanes.js";
import { putChunk } from "./put_chunk.js";
import { Rate } from "./rate.js";

const MIB = 1024 * 1024;
// What breaks off is sent again: four of these at most.
const CHUNK_BYTES = 8 * MIB;
// The server takes at most 50,000 chunks of an upload.
const CHUNKS_MOST = 20_000;
const WAIT_FIRST_MS = 500;
const WAIT_LONGEST_MS = 10_000;
// What may be over in a moment: nobody there, a slow line, a chunk that is being completed, a server that starts.
const PASSING = [0, 408, 409, 429, 502, 503, 504];
const BASE = "/v1/chunked-upload";

/**
 * Begin an upload on the server and return what it says of it.
 * @param {string} sha256 of its only file, if it is known
 */
export async function begin(name, files, sha256) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const chunkSize = Math.max(CHUNK_BYTES, Math.ceil(total / CHUNKS_MOST / MIB) * MIB);
  const what = files.length === 1 && !files[0].path.includes("/")
    ? { fileName: files[0].path, fileSize: files[0].file.size }
    : { files: files.map(({ path, file }) => ({ path, size: file.size })) };
  return (await post(`${BASE}/start`, { ...what, modelName: name, chunkSize, ...(sha256 ? { sha256 } : {}) })).json();
}

export const uploads = async () => (await getJson(BASE)).uploads;
export const giveUp = async (id) => (await send("DELETE", `${BASE}/${id}`)).json();

/** The bytes of one model on their way to the server; goes on where it stopped. */
export class Upload {
  #all;
  #chunks; // Those that are missing.
  #sent = new Map(); // Bytes that have left, by chunk.
  #received = 0;
  #rate = new Rate();
  #stop = new AbortController();

  /**
   * @param {object} record as the server shows an upload
   * @param {{path: string, file: File}[]} files
   * @param {(progress: object) => void} onProgress
   */
  constructor(record, files, onProgress) {
    this.id = record.modelId;
    this.totalBytes = record.fileSize;
    this.onProgress = onProgress;
    this.isAway = false;
    const blobs = new Map(files.map(({ path, file }) => [path, file]));
    this.#all = record.files.flatMap((file) => chunksOf(file, blobs.get(file.path), record.chunkSize));
    this.#leaveOut(record.received);
  }

  get sentBytes() {
    return this.#received + [...this.#sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  get secondsLeft() {
    const rate = this.#rate.bytesPerSecond;
    return rate ? (this.totalBytes - this.sentBytes) / rate : null;
  }

  get bytesPerSecond() {
    return this.#rate.bytesPerSecond;
  }

  /**
   * Send what is missing, and return the finished upload; an AbortError when it was paused.
   * @throws {RequestFailed} for what does not pass by itself
   */
  async run() {
    this.#stop = new AbortController();
    this.#rate.reset();
    const { signal } = this.#stop;
    try {
      while (this.#chunks.length) {
        const rest = [...this.#chunks];
        await Promise.all(rest.map((chunk) => inLane(() => signal.aborted || this.#persist(() => this.#put(chunk, signal), signal))));
        signal.throwIfAborted();
        // A server that lost its power, or its disk's space, may have lost the last chunks with it.
        const now = await this.#persist(async () => (await get(`${BASE}/${this.id}`, signal)).json(), signal);
        this.#leaveOut(now.received);
      }
      return await this.#persist(async () => (await post(`${BASE}/complete`, { modelId: this.id }, signal)).json(), signal);
    } catch (error) {
      this.#stop.abort(); // The other chunks on their way would count for nothing.
      throw error;
    }
  }

  pause() {
    this.#stop.abort();
  }

  #leaveOut(received) {
    const have = (index) => received.some(([first, last]) => first <= index && index <= last);
    this.#chunks = this.#all.filter(({ index }) => !have(index));
    this.#received = this.totalBytes - this.#chunks.reduce((sum, { bytes }) => sum + bytes.size, 0);
  }

  async #put(chunk, signal) {
    try {
      await putChunk(`${BASE}/${this.id}/chunks/${chunk.index}`, chunk.bytes, (bytes) => this.#tell(chunk.index, bytes), signal);
    } catch (error) {
      this.#sent.delete(chunk.index);
      if (error instanceof RequestFailed && error.status === 0) await refuseChanged(chunk);
      throw error;
    }
    this.#sent.delete(chunk.index);
    this.#received += chunk.bytes.size;
    this.#chunks = this.#chunks.filter(({ index }) => index !== chunk.index);
    this.#tell();
  }

  #tell(index, bytes) {
    if (index !== undefined) this.#sent.set(index, bytes);
    this.#rate.add(this.sentBytes);
    this.onProgress(this);
  }

  /** Do something until it works, however long the server is away. */
  async #persist(run, signal) {
    for (let wait = WAIT_FIRST_MS; ; wait = Math.min(wait * 2, WAIT_LONGEST_MS)) {
      try {
        const result = await run();
        this.#setAway(false);
        return result;
      } catch (error) {
        if (!(error instanceof RequestFailed) || !PASSING.includes(error.status)) throw error;
        this.#setAway(true);
        await pause(wait, signal);
      }
    }
  }

  #setAway(isAway) {
    if (this.isAway === isAway) return;
    this.isAway = isAway;
    this.#rate.reset();
    this.onProgress(this);
  }
}

function chunksOf(file, blob, chunkSize) {
  return Array.from({ length: Math.ceil(file.size / chunkSize) }, (_, number) => ({
    index: file.firstChunk + number,
    path: file.path,
    bytes: blob.slice(number * chunkSize, (number + 1) * chunkSize),
  }));
}

/** A file that was changed or moved away looks like a server that is away. */
async function refuseChanged({ path, bytes }) {
  try {
    await bytes.slice(0, 1).arrayBuffer();
  } catch {
    throw new RequestFailed(`${path} has changed, or is not there any more. Choose it again.`, 400);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("Paused.", "AbortError"));
    });
  });
}
