import { Refusal } from "./refusal.js";
import { readSafetensors } from "./safetensors_header.js";

const INDEX = "model.safetensors.index.json";
const SHARD = /^(.+)-(\d{5})-of-(\d{5})\.safetensors$/;
// What training frameworks leave beside the model and nobody converts.
const NOT_THE_MODEL = /^(adapter_|consolidated|optimizer|scheduler|training_|rng_state|ref_model)/;
// Text beside the weights that a conversion reads, or that says what the model is.
const COMPANION = /\.(json|model|txt|jinja|md|tiktoken)$/i;

/** Return the files of a folder that hold its weights; throws where some are missing. */
export async function weightFiles(files) {
  const candidates = files.filter(({ fileName }) => fileName.endsWith(".safetensors") && !NOT_THE_MODEL.test(fileName));
  const index = files.find(({ fileName }) => fileName === INDEX);
  if (index) return indexed(candidates, await index.json());
  const models = candidates.filter(({ fileName }) => fileName.startsWith("model"));
  const chosen = models.length ? models : candidates;
  refuseGaps(chosen);
  return chosen;
}

/** Return the weights and what describes them; pickles, optimizers and logs stay where they are. */
export function filesToSend(files, weights) {
  return files.filter((file) => weights.includes(file) || COMPANION.test(file.fileName));
}

/** Return all tensors of these files. */
export async function tensorsOf(files) {
  return (await Promise.all(files.map(readSafetensors))).flat();
}

function indexed(candidates, { weight_map: map }) {
  if (!map || typeof map !== "object") throw new Refusal(`${INDEX} has no weight_map.`, "Save the model again.");
  const wanted = [...new Set(Object.values(map).map(String))].sort();
  const missing = wanted.filter((name) => !candidates.some(({ fileName }) => fileName === name));
  if (missing.length) throw incomplete(missing, wanted.length);
  return candidates.filter(({ fileName }) => wanted.includes(fileName));
}

function refuseGaps(files) {
  const shards = files.map(({ fileName }) => SHARD.exec(fileName)).filter(Boolean);
  if (!shards.length) return;
  const count = Math.max(...shards.map((shard) => Number(shard[3])));
  const numbers = new Set(shards.map((shard) => Number(shard[2])));
  const missing = [];
  for (let number = 1; number <= Math.min(count, 10_000); number += 1) {
    if (!numbers.has(number)) missing.push(`${shards[0][1]}-${pad(number)}-of-${pad(count)}.safetensors`);
  }
  if (missing.length) throw incomplete(missing, count);
}

const pad = (number) => String(number).padStart(5, "0");

function incomplete(missing, count) {
  const verb = missing.length === 1 ? "is" : "are";
  return new Refusal(
    `${missing.length} of ${count} shards ${verb} missing: ${missing.slice(0, 5).join(", ")}.`,
    "Drop the whole folder, with every shard.",
  );
}
