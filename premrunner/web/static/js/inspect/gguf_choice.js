import { readGguf } from "./gguf_header.js";
import { Refusal, refuseImpostor } from "./refusal.js";

/**
 * Return what GGUF files are together: one model, its split parts in any order, and a projector if there is one.
 * @param {Source[]} sources GGUF files by their content
 * @param {object} terms what this server takes
 */
export async function inspectGguf(sources, terms) {
  const files = await Promise.all(sources.map((source) => open(source, terms)));
  const adapter = files.find(({ metadata }) => metadata.get("general.type") === "adapter");
  if (adapter) {
    throw new Refusal(
      `${adapter.source.fileName} is a LoRA adapter in GGUF, which engines no longer take.`,
      "Drop the adapter as PEFT saved it: adapter_config.json and adapter_model.safetensors.",
    );
  }
  const projectors = files.filter(isProjector);
  const parts = checkedParts(files.filter((file) => !isProjector(file)), projectors);
  if (projectors.length > 1) throw new Refusal(`There are ${projectors.length} projectors: ${named(projectors)}.`, "Drop only one.");
  return findings(parts, projectors, terms);
}

async function open(source, terms) {
  await refuseImpostor(source);
  const header = await readGguf(source, terms.ggufTensorTypes);
  const file = { source, ...header, architecture: header.metadata.get("general.architecture") ?? "" };
  if (!file.architecture) throw new Refusal(`${source.fileName} does not say which architecture it is (general.architecture).`);
  return file;
}

function isProjector(file) {
  if (["projector", "mmproj"].includes(file.metadata.get("general.type"))) return true;
  const encodes = file.metadata.get("clip.has_vision_encoder") || file.metadata.get("clip.has_audio_encoder");
  return file.architecture === "clip" && Boolean(encodes) && !number(file, "block_count");
}

function checkedParts(models, projectors) {
  if (!models.length) {
    throw new Refusal(`${projectors[0].source.fileName} is a projector, which only lets a model see or hear.`, "Drop it together with its model.");
  }
  const count = Math.max(...models.map(({ metadata }) => metadata.get("split.count") ?? 0));
  if (count <= 1) {
    if (models.length > 1) throw new Refusal(`There are ${models.length} models: ${named(models)}.`, "Drop them one by one.");
    return models;
  }
  const numbers = new Set(models.map(({ metadata }) => metadata.get("split.no")));
  const missing = Array.from({ length: Math.min(count, 10_000) }, (_, index) => index).filter((index) => !numbers.has(index));
  if (missing.length) {
    const list = missing.slice(0, 5).map((index) => index + 1).join(", ");
    throw new Refusal(`The model has ${count} parts, and number ${list} is missing.`, "Drop all of them together.");
  }
  if (models.length > count) throw new Refusal(`A part of the model is there twice: ${named(models)}.`, "Drop each once.");
  return models.sort((one, other) => one.metadata.get("split.no") - other.metadata.get("split.no"));
}

function findings(parts, projectors, terms) {
  const [first] = parts;
  if (!parts.some(({ tensors }) => tensors.length)) {
    throw new Refusal(`${first.source.fileName} is a GGUF without weights: it holds only a vocabulary.`);
  }
  const files = [...parts, ...projectors];
  return {
    kind: "gguf",
    sources: files.map(({ source }) => source),
    architecture: first.architecture,
    parameterCount: parts.flatMap(({ tensors }) => tensors).reduce((sum, { elements }) => sum + elements, 0),
    storedAs: terms.ggufFileTypes[first.metadata.get("general.file_type")] ?? "unknown",
    contextLength: number(first, "context_length"),
    hasTemplate: Boolean(first.metadata.get("tokenizer.chat_template")),
    isEmbedding: first.metadata.has(`${first.architecture}.pooling_type`),
    cacheBytesAToken: cacheBytes(first),
    weightBytes: files.reduce((sum, { source }) => sum + source.size, 0),
    partCount: parts.length,
    hasProjector: projectors.length > 0,
    warnings: [],
  };
}

/** What the attention's memory takes for each token, in 16-bit floats. */
function cacheBytes(file) {
  const heads = number(file, "attention.head_count") || 1;
  const headLength = Math.floor(number(file, "embedding_length") / heads);
  const lengths = (number(file, "attention.key_length") || headLength) + (number(file, "attention.value_length") || headLength);
  return number(file, "block_count") * (number(file, "attention.head_count_kv") || heads) * lengths * 2;
}

function number(file, key) {
  const value = file.metadata.get(`${file.architecture}.${key}`);
  const figure = Array.isArray(value) ? Math.max(0, ...value) : value; // A number a layer, in some architectures.
  return typeof figure === "number" ? figure : 0;
}

function named(files) {
  const names = files.map(({ source }) => source.fileName.slice(0, 80)).sort();
  return names.slice(0, 5).join(", ") + (names.length > 5 ? " and more" : "");
}
