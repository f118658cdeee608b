import { filesToSend, tensorsOf } from "./checkpoint.js";
import { Refusal, withoutWeights } from "./refusal.js";

const MERGE_FIRST = "Merge it where it was trained (model.merge_and_unload()), save the model, and drop that folder.";
// Ways to start training that change the base as well: the adapter fits only that changed base, which is nowhere.
const CHANGES_BASE = /^(pissa|olora|corda|loftq|lora_ga)/i;

/**
 * Return what an adapter is, and the model that it was trained on.
 * @param {object | null} base findings of the base, if it was dropped along
 */
export async function inspectAdapter({ files }, base, terms) {
  const config = await files.find(({ fileName }) => fileName === "adapter_config.json").json();
  refuseVariants(config);
  const weights = files.filter(({ fileName }) => /^adapter_.*\.safetensors$/.test(fileName));
  if (!weights.length) {
    if (files.some(({ fileName }) => fileName === "adapter_model.bin")) throw withoutWeights(files);
    throw new Refusal("adapter_model.safetensors is missing.", "Drop the whole folder that PEFT saved.");
  }
  const tensors = await tensorsOf(weights);
  const name = String(config.base_model_name_or_path ?? "");
  const { base: known, canDownload } = base || !name ? { base: null } : await terms.findBase(name);
  return {
    kind: "adapter",
    architecture: base?.architecture ?? known?.architecture ?? "",
    parameterCount: tensors.reduce((sum, { elements }) => sum + elements, 0),
    storedAs: tensors[0]?.dtype.toLowerCase() ?? "",
    rank: typeof config.r === "number" ? config.r : null,
    contextLength: base?.contextLength ?? known?.contextLength ?? 0,
    cacheBytesAToken: base?.cacheBytesAToken ?? 0,
    weightBytes: base?.weightBytes ?? known?.sizeBytes ?? 0,
    // Of a base that is here only the number of its weights is known.
    tensors: base?.tensors ?? (known?.parameterCount ? [{ name: "", shape: [1, 256], elements: known.parameterCount }] : []),
    isTied: base?.isTied ?? false,
    baseName: name,
    hasBase: Boolean(base),
    base: known,
    canDownloadBase: Boolean(canDownload),
    hasTemplate: true,
    warnings: base || known || canDownload ? [] : [missingBase(name)],
    sources: [...filesToSend(files, weights), ...(base?.sources ?? [])],
  };
}

function missingBase(name) {
  return name
    ? `It was trained on ${name}, which is not here. Drop that model first, or choose another base below.`
    : "It does not name the model that it was trained on. Choose it below.";
}

function refuseVariants(config) {
  const kind = config.peft_type ?? "LORA";
  if (kind !== "LORA") throw new Refusal(`The adapter is of the kind ${kind}, which is not LoRA.`, MERGE_FIRST);
  if (typeof config.init_lora_weights === "string" && CHANGES_BASE.test(config.init_lora_weights)) {
    throw new Refusal(`The adapter uses init_lora_weights=${config.init_lora_weights}, which changed the base while it was trained.`, MERGE_FIRST);
  }
  if (config.layer_replication) throw new Refusal("The adapter uses layer_replication, which repeats layers of the base.", MERGE_FIRST);
}
