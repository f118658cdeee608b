import { inspectAdapter } from "./adapter.js";
import { filesToSend, tensorsOf, weightFiles } from "./checkpoint.js";
import { Refusal, withoutWeights } from "./refusal.js";

const CHECKPOINT = /(^|\/)checkpoint-\d+(\/|$)/;
// Tensor names that only a quantized checkpoint has, and what made it.
const QUANTIZED = [
  [".qweight", "GPTQ or AWQ"],
  [".qzeros", "GPTQ or AWQ"],
  [".SCB", "bitsandbytes (8 bit)"],
  [".weight.absmax", "bitsandbytes (4 bit)"],
  [".weight.quant_state.bitsandbytes__nf4", "bitsandbytes (4 bit)"],
  [".weight_packed", "compressed-tensors"],
  ["_blocks", "MXFP4"],
];

/** Return what files with safetensors among them are: a model, or an adapter with or without its base. */
export async function inspectFolders(sources, terms) {
  const { adapter, model } = chooseFolders(sources);
  if (!adapter) return inspectModel(model, terms);
  const base = model ? await inspectModel(model, terms) : null;
  return inspectAdapter(adapter, base, terms);
}

function chooseFolders(sources) {
  const found = foldersOf(sources);
  // A trainer's output holds the end result, and below it what it was on the way.
  const final = found.filter(({ name }) => !CHECKPOINT.test(name));
  const chosen = final.length ? final : found;
  const [adapters, models] = [chosen.filter(({ isAdapter }) => isAdapter), chosen.filter(({ isAdapter }) => !isAdapter)];
  const several = adapters.length > 1 ? adapters : models;
  if (several.length > 1) {
    const names = several.slice(0, 5).map(({ name }) => `“${name || "."}”`).join(", ");
    throw new Refusal(`It holds several models, in the folders ${names}.`, "Drop them one by one.");
  }
  if (chosen.length) return { adapter: adapters[0], model: models[0] };
  if (!sources.some(({ fileName }) => fileName.endsWith(".safetensors"))) throw withoutWeights(sources);
  throw new Refusal(
    "There are weights, and no config.json (or adapter_config.json) beside them to say of which model.",
    "Drop the whole folder that save_pretrained wrote.",
  );
}

function foldersOf(sources) {
  const byName = Map.groupBy ? Map.groupBy(sources, ({ folder }) => folder) : grouped(sources);
  return [...byName].flatMap(([name, files]) => {
    const names = new Set(files.map(({ fileName }) => fileName));
    const weights = [...names].filter((each) => each.endsWith(".safetensors"));
    if (names.has("adapter_config.json") && weights.every((each) => each.startsWith("adapter_"))) {
      // Some trainers leave the base's config beside the adapter; it would make the folder look like a model.
      return [{ name, files: files.filter(({ fileName }) => fileName !== "config.json"), isAdapter: true }];
    }
    return names.has("config.json") && weights.length ? [{ name, files, isAdapter: false }] : [];
  });
}

function grouped(sources) {
  const byName = new Map();
  for (const source of sources) byName.set(source.folder, [...(byName.get(source.folder) ?? []), source]);
  return byName;
}

async function inspectModel({ files }, terms) {
  const config = await files.find(({ fileName }) => fileName === "config.json").json();
  const architecture = String(config.architectures?.[0] ?? "");
  if (!architecture) throw new Refusal("config.json does not say which architecture this is.", "Save the model again with save_pretrained(folder).");
  const weights = await weightFiles(files);
  if (!weights.length) throw withoutWeights(files);
  const tensors = await tensorsOf(weights);
  refuseQuantized(tensors, config);
  refuseUnknown(architecture, terms);
  const has = (name) => files.some(({ fileName }) => fileName === name);
  if (!has("tokenizer.json") && !has("tokenizer.model")) {
    throw new Refusal(
      "There is no tokenizer beside the weights: tokenizer.json or tokenizer.model is missing.",
      "Save it into the same folder: tokenizer.save_pretrained(folder).",
    );
  }
  return { ...figures(config, architecture, tensors), ...(await extras(files, has)), sources: filesToSend(files, weights) };
}

function figures(config, architecture, tensors) {
  const text = { ...config, ...(config.text_config ?? {}) };
  const counted = tensors.filter(({ name }) => !/\.(rotary_emb\.inv_freq|attention\.masked_bias|attention\.bias)$/.test(name));
  const heads = text.num_attention_heads ?? text.n_head ?? 1;
  const headLength = text.head_dim ?? Math.floor((text.hidden_size ?? text.n_embd ?? 0) / heads);
  const layers = text.num_hidden_layers ?? text.n_layer ?? 0;
  return {
    kind: "model",
    architecture,
    tensors: counted,
    isTied: Boolean(text.tie_word_embeddings) || !counted.some(({ name }) => name.endsWith("lm_head.weight")),
    parameterCount: counted.reduce((sum, { elements }) => sum + elements, 0),
    storedAs: storedAs(counted),
    contextLength: text.max_position_embeddings ?? text.n_positions ?? 0,
    cacheBytesAToken: layers * (text.num_key_value_heads ?? heads) * headLength * 2 * 2,
    weightBytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** The first matrix in 16 bit decides, because training frameworks keep single tensors in float32. */
function storedAs(tensors) {
  const dtypes = tensors.filter(({ shape }) => shape.length > 1).map(({ dtype }) => dtype);
  const half = dtypes.find((dtype) => dtype === "BF16" || dtype === "F16");
  return (half ?? (dtypes.some((dtype) => dtype.startsWith("F8")) ? "BF16" : "F32")).toLowerCase();
}

async function extras(files, has) {
  const configured = files.find(({ fileName }) => fileName === "tokenizer_config.json");
  const hasTemplate = has("chat_template.jinja") || Boolean(configured && (await configured.json()).chat_template);
  const warnings = hasTemplate
    ? []
    : ["It has no chat template: chats are framed in the engine's default way. Set one if its answers make no sense."];
  return { hasTemplate, warnings };
}

function refuseQuantized(tensors, config) {
  const told = tensors.flatMap(({ name }) => QUANTIZED.filter(([suffix]) => name.endsWith(suffix)))[0]?.[1];
  const stated = config.quantization_config;
  const hasFloat8 = tensors.some(({ dtype }) => dtype.startsWith("F8"));
  const hasPacked = tensors.some(({ dtype }) => ["U8", "I8", "I32"].includes(dtype));
  const method = stated && typeof stated === "object" ? String(stated.quant_method ?? "an unknown method") : "";
  const isStated = method && (hasPacked || !(hasFloat8 || ["fp8", "bitsandbytes"].includes(method)));
  if (!told && !isStated) return;
  throw new Refusal(
    `These weights are already quantized with ${told ?? method}, which cannot be turned into GGUF without a loss.`,
    "Drop the model as it was before quantization (bfloat16 or float16 safetensors), or a GGUF file.",
  );
}

function refuseUnknown(architecture, terms) {
  if (terms.architectures.includes(architecture) || terms.takesOtherArchitectures) return;
  throw new Refusal(
    `This server cannot convert ${architecture}. It knows ${terms.architectures.join(", ")}.`,
    "Convert it to GGUF where it was trained and drop that file, or install llama.cpp's converter on the server: " +
      "pip install premrunner[llama-cpp-convert].",
  );
}
